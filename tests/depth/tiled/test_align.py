from __future__ import annotations

import cv2
import numpy as np
import pytest

from services.depth.tiled.align import align_locally, fit_scale_and_shift


def _steps() -> np.ndarray:
    """(96, 128): a disc before a ramp."""
    y, x = np.mgrid[:96, :128].astype(np.float32)
    return np.where((x - 64) ** 2 + (y - 48) ** 2 < 900, 2.0, 0.5 + x / 128).astype(np.float32)


def _blurred(depth: np.ndarray, sigma: float) -> np.ndarray:
    return np.asarray(cv2.GaussianBlur(depth, (0, 0), sigma), dtype=np.float32)


def test_scale_and_shift_of_another_map_are_found() -> None:
    depth = _steps()
    scale, shift = fit_scale_and_shift((depth - 0.7) / 3.5, depth)
    assert scale == pytest.approx(3.5, rel=1e-5)
    assert shift == pytest.approx(0.7, rel=1e-5)


def test_a_tenth_of_wild_values_hardly_moves_the_fit() -> None:
    depth = _steps()
    wild = depth.copy()
    wild[:, :12] = 20.0
    scale, _ = fit_scale_and_shift(depth, wild)
    plain = np.polyfit(depth.ravel(), wild.ravel(), 1)[0]
    assert abs(scale - 1) < 0.25 * abs(plain - 1), (scale, plain)


def test_a_map_turned_over_gets_no_negative_scale() -> None:
    scale, shift = fit_scale_and_shift(-_steps(), _steps())
    assert scale == 0
    assert 0.5 <= shift <= 2


def test_bent_map_has_the_values_of_the_coarse_and_the_edges_of_the_sharp() -> None:
    depth = _steps()
    coarse = _blurred(depth, 3.0)
    bent = align_locally(0.2 * depth + 4.0, coarse, window_px=12, blur_px=3.0)
    assert np.abs(bent - depth).mean() < 0.35 * np.abs(coarse - depth).mean()
    rise = np.abs(np.diff(bent[48])).max() / np.abs(np.diff(depth[48])).max()
    assert rise > 0.85, rise


def test_a_slow_distortion_of_the_sharp_map_is_undone() -> None:
    depth = _steps()
    distorted = depth * np.linspace(0.8, 1.3, 128, dtype=np.float32)
    bent = align_locally(distorted, depth, window_px=12, blur_px=0.0)
    scale, shift = fit_scale_and_shift(distorted, depth)
    assert np.abs(bent - depth).mean() < 0.5 * np.abs(scale * distorted + shift - depth).mean()


@pytest.mark.parametrize("sharp", [np.full((96, 128), 3.0, np.float32), -_steps()])
def test_what_says_nothing_or_the_contrary_changes_nothing(sharp: np.ndarray) -> None:
    coarse = _steps()
    np.testing.assert_array_equal(align_locally(sharp, coarse, 12, 2.0), coarse)
