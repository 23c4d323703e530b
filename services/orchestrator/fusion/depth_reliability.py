"""Is this depth map reliable? Only if its steps lie on the mask's outline and the subject is the near side.

A flat map has no steps; an inverted one has the subject far; one of another picture has its steps elsewhere, so a
shifted outline fits it as well as the true one; one that is out of place fits better when the outline is nudged.
"""

from __future__ import annotations

import cv2
import numpy as np

from services.common.arrays import BoolMask, Float
from services.orchestrator.fusion.fusion_input import FusionInput, erode, local_mean

LONG_SIDE = 192  # pixels: enough for a statistic over an outline
STEP = 0.03  # of the depth's range: a difference that noise and slope do not make
NEAR_SHARE = 0.3  # share of the outline where the subject must be nearer (true maps of test scenes: 0.52 to 0.98)
CONTRADICTED = 3.0  # it must be nearer this many times as often as farther
SHIFT_SHARE = 0.06  # of the long side: how far the outline is moved to see whether it fits elsewhere too
BETTER = 1.3  # the true place must fit this much better (true maps: 1.4 and more; maps of other pictures: 1 in 50)
NUDGE_SHARE = 0.02  # of the long side: a map further out of place cuts limbs off
NUDGED_BETTER = (
    1.1  # no nudge may fit this much better (true maps: at most 0.87 times; 20 px out of place: 1.37 and more)
)

SIDEWAYS = ((1, 0), (-1, 0), (0, 1), (0, -1))
DIAGONAL = ((1, 1), (-1, -1), (1, -1), (-1, 1))


def why_unreliable(view: FusionInput) -> str:
    """Return why depth does not separate the subject from what is around it; an empty string where it does."""
    scale = min(1.0, LONG_SIDE / max(view.mask.shape))
    size = (max(1, round(view.mask.shape[1] * scale)), max(1, round(view.mask.shape[0] * scale)))
    depth = np.asarray(cv2.resize(view.depth, size, interpolation=cv2.INTER_AREA), dtype=np.float32)
    mask = cv2.resize(view.mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) >= 0.5
    steps = _steps_across(mask, depth)
    if steps.size < 8:
        return "the outline is too short to judge the depth by"
    near, far = float(np.mean(steps > STEP)), float(np.mean(steps < -STEP))
    if far > near:
        return "depth says the subject lies behind its surroundings"
    if near < NEAR_SHARE or near < CONTRADICTED * far:
        return "depth does not separate the subject from its surroundings"
    if steps.mean() < BETTER * _best_shifted(mask, depth, SHIFT_SHARE, SIDEWAYS):
        return "depth does not follow the subject's outline"
    if _best_shifted(mask, depth, NUDGE_SHARE, SIDEWAYS + DIAGONAL) > NUDGED_BETTER * steps.mean():
        return "depth is out of place beside the photo"
    return ""


def _steps_across(mask: BoolMask, depth: Float) -> Float:
    """Return (n,) float32: inside minus outside depth at outline pixels where both are known near by."""
    inside, outside = mask & erode(mask, 1), erode(~mask, 1)
    sigma = 0.012 * max(mask.shape)
    near, has_near = local_mean(depth, inside, sigma)
    far, has_far = local_mean(depth, outside, sigma)
    outline = mask & ~erode(mask, 1) & (has_near > 0.02) & (has_far > 0.02)
    return np.asarray((near - far)[outline], dtype=np.float32)


def _best_shifted(mask: BoolMask, depth: Float, share: float, directions: tuple[tuple[int, int], ...]) -> float:
    """Return the largest mean step across the outline when it is moved by `share` of the long side."""
    shift = max(2, round(share * max(mask.shape)))
    means = []
    for dx, dy in directions:
        move = np.array([[1, 0, dx * shift], [0, 1, dy * shift]], dtype=np.float32)
        moved = cv2.warpAffine(mask.astype(np.uint8), move, mask.shape[::-1], borderMode=cv2.BORDER_REPLICATE) > 0
        steps = _steps_across(np.asarray(moved), depth)
        means.append(float(steps.mean()) if steps.size else 0.0)
    return max(means)
