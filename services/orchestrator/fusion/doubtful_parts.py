"""Parts that the mask is unsure of as a whole: does the depth step lie on their inner or on their outer border?

A doubtful part that runs on into the sure subject without a step, and ends in a step towards the background, is the
subject's; one that lies behind the subject across a step, and runs on into the background, is not. Where both borders
have a step, or none has, depth says nothing of it.
"""

from __future__ import annotations

import cv2
import numpy as np

from services.common.arrays import Alpha, BoolMask
from services.common.imaging.log_odds import from_log_odds, to_log_odds
from services.common.imaging.uncertain_regions import find_uncertain_regions
from services.orchestrator.fusion.fusion_input import FusionInput, dilate, erode
from services.orchestrator.fusion.regions import step_limit

SMALLEST = 0.002  # share of the picture: depth cannot be read from less
LEAST_BORDER = 0.03  # of its rim must lie on the sure subject, and as much on the sure background
EVIDENCE = 1.5  # log odds: a part at 0.2 or 0.8 is turned, a surer one is not


def decide_doubtful_parts(view: FusionInput) -> Alpha:
    """Return the view's alpha, moved where depth tells which side a doubtful part belongs to.

    Returns:
        (H, W) float32 in [0, 1], equal to `view.alpha` outside the parts that depth decides.
    """
    uncertain = find_uncertain_regions((view.alpha > 0.1) & (view.alpha < 0.9))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(uncertain.astype(np.uint8), connectivity=4)
    limit = step_limit(view)
    alpha = view.alpha
    for index in range(1, len(stats)):
        if stats[index, cv2.CC_STAT_AREA] < SMALLEST * uncertain.size:
            continue
        part = np.asarray(labels == index)
        evidence = _evidence(view, part, limit)
        if evidence:
            around = dilate(part, view.reach) & (view.alpha > 0.1) & (view.alpha < 0.9)
            moved = from_log_odds(to_log_odds(alpha) + evidence)
            alpha = np.asarray(np.where(around, moved, alpha), dtype=np.float32)
    return alpha


def _evidence(view: FusionInput, part: BoolMask, limit: float) -> float:
    rim = dilate(part, 3 * view.reach) & ~dilate(part, view.reach)
    subject = rim & view.inner
    background = rim & view.outer
    least = LEAST_BORDER * np.count_nonzero(rim)
    if np.count_nonzero(subject) < least or np.count_nonzero(background) < least:
        return 0.0
    inwards = _step_between(view, subject, part)
    outwards = _step_between(view, part, background)
    if abs(inwards) < limit and outwards > 1.5 * limit:
        return EVIDENCE
    if inwards > 1.5 * limit and abs(outwards) < limit:
        return -EVIDENCE
    return 0.0


def _step_between(view: FusionInput, near: BoolMask, far: BoolMask) -> float:
    """Return how much nearer the one is than the other where they face each other."""
    facing = 5 * view.reach
    one = near & dilate(far, facing)
    other = far & dilate(near, facing)
    core = erode(other, view.reach) if erode(other, view.reach).any() else other
    return float(np.median(view.depth[one]) - np.median(view.depth[core])) if one.any() and other.any() else 0.0
