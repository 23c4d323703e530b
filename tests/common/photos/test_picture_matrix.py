"""Every guise of a picture is read as its maker meant it: the truth, our reader, and readers of others."""

from __future__ import annotations

import numpy as np
import pytest

from services.common.photos import colour
from services.common.photos.decoding import decode_photo, read_raster
from tests.common.photos.picture_matrix import Case, all_cases

CASES = all_cases()
LEAST_CASES = 400


def _close(found: np.ndarray, wanted: np.ndarray, tolerance: float) -> bool:
    return found.shape == wanted.shape and float(np.abs(found.astype(float) - wanted.astype(float)).max()) <= tolerance


def _tolerance(case: Case, alpha: np.ndarray | None) -> np.ndarray | float:
    """What rounding may leave: associated colours were divided by their alpha, the darker the worse."""
    full = np.iinfo(case.colours.dtype).max
    if case.tolerance < full or alpha is None:
        return case.tolerance
    return 0.5 * full / np.maximum(alpha, 1).astype(float)[:, :, None] + 1


def test_there_are_enough_guises():
    assert len(CASES) >= LEAST_CASES
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_file_is_read_as_it_was_meant(case):
    raster = read_raster(case.data)
    assert raster.samples.dtype == case.colours.dtype
    assert raster.samples.shape == case.colours.shape
    difference = np.abs(raster.samples.astype(float) - case.colours.astype(float))
    assert (difference <= _tolerance(case, case.alpha)).all()
    assert (raster.alpha is None) == (case.alpha is None)
    if case.alpha is not None:
        assert np.array_equal(raster.alpha, case.alpha)
    assert raster.orientation == case.orientation
    assert colour.space_of_profile(raster.icc) == (case.profile or None)


@pytest.mark.parametrize("case", [c for c in CASES if c.orientation != 1 or c.profile], ids=lambda case: case.name)
def test_a_photo_stands_upright_in_colours_that_can_be_shown(case):
    photo = decode_photo(case.data)
    colours, alpha = case.upright
    if case.profile == "grey" or " gamma" in case.name:
        linear = colours.astype(float) / np.iinfo(colours.dtype).max
        shown = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
        wanted = np.broadcast_to(shown * np.iinfo(colours.dtype).max, (*shown.shape[:2], 3))
        dark = 12.92 * case.tolerance
        assert _close(photo.pixels, wanted, dark + (2 if colours.dtype == np.uint8 else 160))
        assert not photo.metadata.icc  # it is sRGB now
    elif colours.shape[2] == 3:
        assert _close(photo.pixels, colours, case.tolerance)
        assert bool(photo.metadata.icc) == bool(case.profile)
    assert photo.pixels.shape[:2] == colours.shape[:2]
    if alpha is not None:
        assert np.array_equal(photo.own_alpha, alpha)
