"""Islands beside the main subject: kept if they are large, sure, or of the subject's colours."""

from __future__ import annotations

import cv2
import numpy as np

from services.common.arrays import Alpha
from services.common.imaging.colour_evidence import WHOLE, colour_evidence
from services.segmentation.refine.refine_input import RefineInput

LARGE = 0.1  # share of the largest component: another subject (a pair of shoes), not an island
SURE_ISLAND = 0.8  # mean alpha in the mask as it came: the network meant it
SPECK = 2e-5  # share of the picture below which an island carries no meaning (10 pixels of 640 x 640)


def remove_islands(scene: RefineInput, alpha: Alpha) -> Alpha:
    """Return `alpha` without small islands that neither the network nor their colours speak for.

    Args:
        scene: the picture and the mask as it came.
        alpha: (H, W) float32 in [0, 1].
    Returns:
        (H, W) float32 in [0, 1]; a removed island is 0 where it was above 0.5; its soft rim (up to 0.5) is kept.
    """
    mask = alpha >= 0.5
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count <= 2:  # background and one component
        return alpha
    area = stats[:, cv2.CC_STAT_AREA].astype(np.float64)
    main = 1 + int(np.argmax(area[1:]))
    small = area < LARGE * area[main]
    small[0] = False
    if not small.any():
        return alpha
    islands = small[labels]
    evidence = colour_evidence(
        scene.lab, scene.subject & mask & ~islands, scene.background, np.asarray(islands), whole=WHOLE
    )
    mean_evidence = np.bincount(labels.ravel(), weights=evidence.ravel(), minlength=count) / area
    mean_alpha = np.bincount(labels.ravel(), weights=scene.given.ravel(), minlength=count) / area
    doubtful = (mean_evidence < 0) & (mean_alpha < SURE_ISLAND)
    removed = small & (doubtful | (area < SPECK * mask.size))
    return np.asarray(np.where(removed[labels], 0.0, alpha), dtype=np.float32)
