"""Halving keeps means, types and everything that is marked."""

from __future__ import annotations

import numpy as np
import pytest

from services.orchestrator.cutout.pyramid import double, halve, halve_any, halve_photo


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_photo_keeps_its_type_and_mean(dtype):
    photo = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (40, 60, 3)).astype(dtype)
    small = halve_photo(photo)
    assert small.dtype == dtype
    assert small.shape == (20, 30, 3)
    assert small.mean() == pytest.approx(photo.mean(), rel=1e-2)


def test_odd_sizes_round_up():
    assert halve(np.ones((5, 7), np.float32)).shape == (3, 4)
    assert halve_any(np.ones((5, 7), bool)).shape == (3, 4)
    assert (halve(np.ones((5, 7), np.float32)) == 1).all()


def test_single_marked_pixel_is_kept_wherever_it_is():
    for at in ((0, 0), (3, 4), (4, 6)):
        mask = np.zeros((5, 7), bool)
        mask[at] = True
        small = halve_any(mask)
        assert small.sum() == 1
        assert small[at[0] // 2, at[1] // 2]


def test_doubling_meets_halving_where_sides_are_odd():
    ramp = np.tile(np.arange(101, dtype=np.float32), (51, 1))
    back = double(halve(ramp), (51, 101))
    assert np.abs(back - ramp)[:, 2:-2].max() < 1e-3
