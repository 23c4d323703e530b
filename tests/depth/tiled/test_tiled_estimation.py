from __future__ import annotations

import cv2
import numpy as np
import pytest

from services.depth.tiled import TiledOptions, count_estimates, estimate_tiled


class _Network:
    """Sees the red channel at 64 × 64 px, with a scale and shift of its own in every look."""

    def __init__(self, *, lies: bool = False) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self._lies = lies

    def estimate(self, rgb: np.ndarray) -> np.ndarray:
        self.shapes.append(rgb.shape[:2])
        height, width = rgb.shape[:2]
        seen = cv2.resize(rgb[..., 0].astype(np.float32), (64, 64), interpolation=cv2.INTER_AREA)
        seen = cv2.resize(seen, (width, height), interpolation=cv2.INTER_LINEAR) / 255
        count = len(self.shapes)
        sign = -1.0 if self._lies and count > 1 else 1.0
        return np.asarray(sign * (1 + 0.4 * count) * seen + 0.3 * count, dtype=np.float32)


def _photo() -> np.ndarray:
    y, x = np.mgrid[:144, :192]
    red = np.where((x - 96) ** 2 + (y - 70) ** 2 < 1600, 230, 40 + x // 4)
    return np.repeat(red[..., None], 3, axis=2).astype(np.uint8)


def _error(found: np.ndarray) -> float:
    truth = _photo()[..., 0].astype(np.float64)
    scale, shift = np.polyfit(found.ravel(), truth.ravel(), 1)
    return float(np.abs(scale * found + shift - truth).mean())


def test_tiles_make_the_map_sharper() -> None:
    plain, tiled = _Network(), _Network()
    once = estimate_tiled(_photo(), plain.estimate, TiledOptions(mirror=False, tiles=0))
    more = estimate_tiled(_photo(), tiled.estimate)
    assert _error(more) < 0.75 * _error(once), (_error(more), _error(once))


def test_looks_of_other_scale_and_shift_leave_no_seam() -> None:
    found = estimate_tiled(_photo(), _Network().estimate)
    background = found[135, :]  # a ramp, under the disc
    assert np.abs(np.diff(background, 2)).max() < 0.02 * np.ptp(found)


def test_map_stays_in_the_scale_of_the_first_look() -> None:
    network = _Network()
    first = _Network().estimate(_photo())
    found = estimate_tiled(_photo(), network.estimate)
    assert first.min() <= found.min() < found.max() <= first.max()
    assert found.dtype == np.float32
    assert found.shape == (144, 192)


def test_looks_that_contradict_the_first_change_nothing() -> None:
    first = _Network().estimate(_photo())
    found = estimate_tiled(_photo(), _Network(lies=True).estimate)
    np.testing.assert_allclose(found, first, atol=1e-5)


def test_mirror_image_undoes_an_error_that_depends_on_the_side() -> None:
    truth = _photo()[..., 0].astype(np.float32)
    tilt = np.linspace(0, 60, 192, dtype=np.float32)[None]
    options = TiledOptions(mirror=True, tiles=0)
    found = estimate_tiled(_photo(), lambda rgb: rgb[..., 0].astype(np.float32) + tilt, options)
    assert _error(found) < 0.5 * _error(truth + tilt)


@pytest.mark.parametrize(("options", "looks"), [(TiledOptions(), 6), (TiledOptions(mirror=False, tiles=0), 1)])
def test_cost_is_told_before_and_is_what_is_run(options: TiledOptions, looks: int) -> None:
    network = _Network()
    estimate_tiled(_photo(), network.estimate, options)
    assert count_estimates(options) == looks == len(network.shapes)


def test_a_flat_first_look_is_the_answer() -> None:
    found = estimate_tiled(_photo(), lambda rgb: np.ones(rgb.shape[:2], np.float32))
    np.testing.assert_array_equal(found, np.ones((144, 192), np.float32))


def test_a_caller_who_left_stops_the_looks() -> None:
    network = _Network()

    def leave() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        estimate_tiled(_photo(), network.estimate, go_on=leave)
    assert len(network.shapes) == 1


def test_smallest_photos_are_answered() -> None:
    for shape in ((1, 1, 3), (2, 40, 3)):
        rgb = np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)
        assert estimate_tiled(rgb, lambda part: part[..., 0].astype(np.float32)).shape == shape[:2]
