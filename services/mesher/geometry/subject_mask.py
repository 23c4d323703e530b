"""The subject in the frame: which pixels are its own, specks apart, and how large it is."""

from __future__ import annotations

import cv2
import numpy as np

from services.common.arrays import Alpha, BoolMask

SMALLEST_PART = 0.01  # of the largest part's area: smaller ones are specks of the mask, not parts of the subject


def subject_mask(alpha: Alpha) -> BoolMask:
    """Return (H, W) bool: the pixels covered by half or more, without parts under 1 % of the largest part's area.

    Args:
        alpha: (H, W) float32 in [0, 1].

    >>> subject_mask(np.array([[0.4, 0.5, 1.0]], np.float32)).tolist()
    [[False, True, True]]
    """
    mask = np.asarray(alpha >= 0.5, dtype=np.bool_)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count <= 2:
        return mask
    area = stats[:, cv2.CC_STAT_AREA]
    kept = area >= SMALLEST_PART * area[1:].max()
    kept[0] = False  # the background
    return np.asarray(kept[labels], dtype=np.bool_)


def long_side(mask: BoolMask) -> int:
    """Return the longer side of the mask's box in pixels, 0 of an empty one.

    >>> long_side(np.array([[0, 1, 1, 1], [0, 1, 0, 0]], bool))
    3
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return 0 if len(rows) == 0 else int(max(rows[-1] - rows[0], columns[-1] - columns[0])) + 1
