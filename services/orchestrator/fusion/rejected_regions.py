"""Take rejected regions out of the mask; their outline comes from the photo's colours, never from the depth map."""

from __future__ import annotations

import cv2
import numpy as np

from services.common.arrays import Alpha, BoolMask
from services.common.imaging.colour_evidence import LOCAL, colour_evidence
from services.common.imaging.edge_aware import smooth_along_edges
from services.common.imaging.log_odds import from_log_odds
from services.orchestrator.fusion.fusion_input import FusionInput, dilate
from services.orchestrator.fusion.regions import RegionVerdict

CLIP = 3.0  # log likelihood ratio beyond which one pixel's colour is not believed more
HOLD = 0.1  # how strongly a pixel resists its neighbours: the border between two regions is one line


def remove_rejected(view: FusionInput, verdict: RegionVerdict) -> Alpha:
    """Return the view's alpha without the rejected regions and what hangs on them alone.

    Returns:
        (H, W) float32 in [0, 1]; unchanged away from the rejected regions.
    """
    if not verdict.rejected.any():
        return view.alpha
    to_kept = _distance_to(verdict.kept)
    to_rejected = _distance_to(verdict.rejected)
    depth_blur = 3.0 * view.reach
    rejected_side = (to_rejected < to_kept) & (to_rejected < depth_blur)
    border = ~verdict.kept & ~verdict.rejected & (to_rejected < depth_blur) & (view.alpha > 0.02)
    evidence = colour_evidence(
        view.lab,
        verdict.kept & (view.alpha > 0.9),
        view.outer | verdict.rejected,
        np.asarray(border & view.mask),
        whole=LOCAL,
    )
    nearness = np.clip((to_rejected - to_kept) / view.reach, -2.0, 2.0)  # the step lies about half way
    start = np.where(verdict.rejected, 0.0, view.alpha)
    guess = from_log_odds(np.clip(evidence, -CLIP, CLIP) + nearness)
    start = np.where(border, np.minimum(start, guess), start).astype(np.float32)
    hold = np.full(start.shape, HOLD, dtype=np.float32)
    smooth = np.minimum(smooth_along_edges(view.lab, start, np.asarray(border), hold), view.alpha)
    return _without_leftovers(view, verdict, np.asarray(rejected_side), smooth)


def _distance_to(mask: BoolMask) -> Alpha:
    return np.asarray(cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5), dtype=np.float32)


def _without_leftovers(view: FusionInput, verdict: RegionVerdict, rejected_side: BoolMask, alpha: Alpha) -> Alpha:
    """Return `alpha` without what hung on a rejected region and holds nothing of the subject (a mug's handle)."""
    left = alpha >= 0.5
    count, labels = cv2.connectedComponents(left.astype(np.uint8), connectivity=8)
    has_core = np.zeros(count, dtype=np.bool_)
    has_core[np.unique(labels[verdict.kept & left])] = True
    touches_rejected = np.zeros(count, dtype=np.bool_)
    touches_rejected[np.unique(labels[dilate(rejected_side | verdict.rejected, view.reach) & left])] = True
    gone = touches_rejected & ~has_core
    gone[0] = False
    rim = dilate(np.asarray(gone[labels]), 2) & ~(left & ~gone[labels])
    return np.asarray(np.where(rim, 0.0, alpha), dtype=np.float32)
