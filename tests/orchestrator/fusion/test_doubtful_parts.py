from __future__ import annotations

import cv2
import numpy as np

from services.orchestrator.fusion import FusionOptions, fuse
from services.orchestrator.fusion.doubtful_parts import decide_doubtful_parts
from services.orchestrator.fusion.fusion_input import FusionInput

SIDE = 320
_Y, _X = np.mgrid[:SIDE, :SIDE]
SURE = (_X > 60) & (_X < 180) & (_Y > 80) & (_Y < 240)
PART = (_X > 180) & (_X < 250) & (_Y > 120) & (_Y < 220)  # joins it on the right


def _view(part_depth: float, background_depth: float = 0.2, value: float = 0.4) -> FusionInput:
    alpha = np.where(PART, value, SURE).astype(np.float32)
    depth = np.full((SIDE, SIDE), background_depth, np.float32)
    depth[SURE], depth[PART] = 0.8, part_depth
    rgb = np.full((SIDE, SIDE, 3), 128, np.uint8)
    return FusionInput(rgb, cv2.GaussianBlur(alpha, (0, 0), 1.0), cv2.GaussianBlur(depth, (0, 0), 2.0))


def test_a_part_at_the_subjects_depth_that_ends_in_a_step_is_subject() -> None:
    decided = decide_doubtful_parts(_view(part_depth=0.8))
    assert (decided >= 0.5)[PART].mean() > 0.95


def test_a_part_at_the_backgrounds_depth_behind_a_step_is_not() -> None:
    decided = decide_doubtful_parts(_view(part_depth=0.2, value=0.6))
    assert (decided >= 0.5)[PART].mean() < 0.05


def test_a_part_between_two_steps_stays_in_doubt() -> None:
    view = _view(part_depth=0.5)
    assert np.array_equal(decide_doubtful_parts(view), view.alpha)


def test_a_part_without_any_step_stays_in_doubt() -> None:
    view = _view(part_depth=0.8, background_depth=0.8)
    assert np.array_equal(decide_doubtful_parts(view), view.alpha)


def test_a_part_that_touches_nothing_sure_stays_in_doubt() -> None:
    view = _view(part_depth=0.8)
    alone = FusionInput(view.rgb, np.where(SURE, np.float32(0), view.alpha), view.depth)
    assert np.array_equal(decide_doubtful_parts(alone), alone.alpha)


def test_what_is_sure_is_not_touched() -> None:
    view = _view(part_depth=0.8)
    sure = (view.alpha <= 0.1) | (view.alpha >= 0.9)
    assert np.array_equal(decide_doubtful_parts(view)[sure], view.alpha[sure])


def test_fusing_brings_a_lost_part_back() -> None:
    view = _view(part_depth=0.8)
    fused = fuse(view.rgb, view.alpha, view.depth, FusionOptions())
    assert fused.used_depth
    assert (fused.alpha >= 0.5)[PART].mean() > 0.95
