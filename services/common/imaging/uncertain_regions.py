"""Where a mask is unsure over an area, not only along an outline."""

from __future__ import annotations

import cv2
import numpy as np

from services.common.arrays import BoolMask
from services.common.imaging.thin_parts import disc

REGION_SHARE = 0.012  # radius of a disc, of the long side, that fits into a region and not into an edge's band


def find_uncertain_regions(unsure: BoolMask) -> BoolMask:
    """Return (H, W) bool: the parts of `unsure` that are wider than an edge's band.

    Args:
        unsure: (H, W) bool, where the mask is neither surely subject nor surely background.
    """
    radius = max(2, round(REGION_SHARE * max(unsure.shape)))
    return np.asarray(cv2.morphologyEx(unsure.astype(np.uint8), cv2.MORPH_OPEN, disc(radius)) > 0)
