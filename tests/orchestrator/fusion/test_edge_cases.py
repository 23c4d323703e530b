"""The edge cases of cutting out with their depth; see `evaluation.synthetic.edge_cases`."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.synthetic.edge_cases import EdgeCase, draw_edge_cases
from services.orchestrator.fusion import FusionOptions, fuse


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.count_nonzero((a >= 0.5) & (b >= 0.5)) / max(1, np.count_nonzero((a >= 0.5) | (b >= 0.5))))


@pytest.mark.parametrize("case", draw_edge_cases(), ids=lambda case: case.name)
def test_depth_makes_no_edge_case_worse(case: EdgeCase) -> None:
    fused = fuse(case.rgb, case.network, case.depth, FusionOptions())
    assert not case.truth.any() or _iou(fused.alpha, case.truth) > _iou(case.network, case.truth) - 0.002


@pytest.mark.parametrize("name", ["similar_colour", "texture", "touching_frame"])
def test_depth_settles_what_the_network_lost_and_colour_may_not_know(name: str) -> None:
    case = next(case for case in draw_edge_cases() if case.name == name)
    fused = fuse(case.rgb, case.network, case.depth, FusionOptions())
    assert _iou(fused.alpha, case.truth) > 0.98
