"""GrabCut as a second opinion, at reduced size, where the mask is unsure or contradicts the colours.

Source: Rother, Kolmogorov, Blake, "GrabCut" (2004), in OpenCV's form, started from the mask's sure parts.
"""

from __future__ import annotations

import cv2
import numpy as np

from services.common.arrays import Alpha, BoolMask
from services.common.imaging.log_odds import from_log_odds, to_log_odds
from services.common.imaging.uncertain_regions import find_uncertain_regions
from services.segmentation.refine.refine_input import RefineInput

LONG_SIDE = 160  # pixels; it decides areas, not outlines, and its cut is slow where colours are alike (320: no better)
ROUNDS = 1  # later rounds change little and drift towards the larger class
WORTH_ASKING = 0.004  # share of the picture in doubt below which an opinion cannot matter
OPINION = 0.2  # log odds: GrabCut turns only what is nearly undecided; at 0.5 it won two photos and lost two
AGREEMENT = 0.9  # IoU with the mask on sure pixels below which the colour models do not fit this picture


def consult_grabcut(scene: RefineInput, alpha: Alpha) -> Alpha:
    """Return `alpha`, moved by GrabCut's opinion where it is in doubt.

    Args:
        scene: the picture and the mask as it came.
        alpha: (H, W) float32 in [0, 1].
    Returns:
        (H, W) float32 in [0, 1]; `alpha` itself if there is little doubt or GrabCut contradicts what is sure.
    """
    doubt = find_uncertain_regions((alpha > 0.2) & (alpha < 0.8)) & ~scene.thin
    if np.count_nonzero(doubt) < WORTH_ASKING * doubt.size:
        return alpha
    opinion = _cut(scene, alpha)
    if opinion is None:
        return alpha
    moved = from_log_odds(to_log_odds(alpha) + np.where(opinion, OPINION, -OPINION))
    return np.asarray(np.where(doubt, moved, alpha), dtype=np.float32)


def _cut(scene: RefineInput, alpha: Alpha) -> BoolMask | None:
    """Return (H, W) bool, GrabCut's subject; None if it cannot be trusted."""
    height, width = alpha.shape
    scale = min(1.0, LONG_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    rgb = cv2.resize(scene.rgb, size, interpolation=cv2.INTER_AREA)
    small = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)
    labels = np.where(small >= 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[small > 0.95] = cv2.GC_FGD
    labels[small < 0.05] = cv2.GC_BGD
    subject, background = small > 0.5, small < 0.5
    if min(np.count_nonzero(subject), np.count_nonzero(background)) < 50:  # five Gaussians need something to fit
        return None
    cv2.setRNGSeed(0)
    bgr, models = np.ascontiguousarray(rgb[..., ::-1]), (np.zeros((1, 65)), np.zeros((1, 65)))
    cv2.grabCut(bgr, labels, (0, 0, 0, 0), *models, ROUNDS, cv2.GC_INIT_WITH_MASK)
    cut = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    fairly_sure = np.abs(small - 0.5) > 0.3
    either = np.count_nonzero((cut | subject) & fairly_sure)
    if either == 0 or np.count_nonzero(cut & subject & fairly_sure) < AGREEMENT * either:
        return None
    return np.asarray(cv2.resize(cut.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0)
