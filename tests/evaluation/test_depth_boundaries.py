from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from evaluation.depth_boundaries import BoundaryOptions, boundary_f1


def _disc(shift: int = 0) -> np.ndarray:
    y, x = np.mgrid[:120, :160]
    return np.where((x - 80 - shift) ** 2 + (y - 60) ** 2 < 1600, 1.0, 0.2).astype(np.float32)


def test_the_truth_itself_scores_one() -> None:
    assert boundary_f1(_disc(), _disc(), BoundaryOptions()) == 1.0


def test_a_flat_map_scores_nothing() -> None:
    assert boundary_f1(np.zeros_like(_disc()), _disc(), BoundaryOptions()) == 0.0


def test_the_blurrier_the_worse() -> None:
    scores = [
        boundary_f1(ndimage.gaussian_filter(_disc(), sigma), _disc(), BoundaryOptions()) for sigma in (1, 8, 16, 32)
    ]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] < 0.5


def test_boundaries_out_of_place_do_not_count() -> None:
    assert boundary_f1(_disc(12), _disc(), BoundaryOptions()) < 0.35
    assert boundary_f1(_disc(1), _disc(), BoundaryOptions()) > 0.9


@pytest.mark.parametrize("slope", [0.001, 0.003])
def test_a_slope_is_no_boundary(slope: float) -> None:
    ramp = np.tile(slope * np.arange(160, dtype=np.float32), (120, 1))
    assert boundary_f1(_disc() + ramp, _disc(), BoundaryOptions()) > 0.95
