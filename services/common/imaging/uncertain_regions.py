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

    >>> unsure = np.zeros((30, 30), dtype=bool)
    >>> unsure[5:15, 5:15] = unsure[20:22] = True  # an area, and the band along an outline
    >>> find_uncertain_regions(unsure)[[10, 21], [10, 10]].tolist()
    [True, False]
    """
    radius = max(2, round(REGION_SHARE * max(unsure.shape)))
    return np.asarray(cv2.morphologyEx(unsure.astype(np.uint8), cv2.MORPH_OPEN, disc(radius)) > 0)
