"""Distances to a mask's outline, and the soft band that a hard mask lacks."""

from __future__ import annotations

import cv2
import numpy as np

from services.common.arrays import Alpha, BoolMask, Float
from services.common.imaging.log_odds import from_log_odds

BAND_SHARE = 0.006  # half width of the band given to a hard mask, of the long side: about what a network leaves unsure
CRISP_PX = 1.2  # unsure pixels per outline pixel below which a mask counts as hard (antialiasing alone gives about 1)


def signed_distance(mask: BoolMask) -> Float:
    """Return (H, W) float32, the distance in pixels to the outline: positive inside `mask`, negative outside.

    A mask without an outline gives large values of one sign.

    >>> signed_distance(np.array([[0, 0, 1, 1, 1, 0]], dtype=bool)).tolist()
    [[-2.0, -1.0, 1.0, 2.0, 1.0, -1.0]]
    """
    inside = mask.astype(np.uint8)
    to_background = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    to_subject = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)
    return np.asarray(to_background - to_subject, dtype=np.float32)


def is_crisp(alpha: Alpha) -> bool:
    """Return whether `alpha` is hard: hardly more unsure pixels than an antialiased outline has.

    >>> square = np.zeros((9, 9), dtype=np.float32)
    >>> square[2:7, 2:7] = 1
    >>> is_crisp(square), is_crisp(cv2.blur(square, (5, 5)))
    (True, False)
    """
    inside = (alpha >= 0.5).astype(np.uint8)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    outline = int(np.count_nonzero(inside - cv2.erode(inside, cross)))
    unsure = int(np.count_nonzero((alpha > 0.1) & (alpha < 0.9)))
    return unsure < CRISP_PX * outline


def soften(alpha: Alpha) -> Alpha:
    """Return a soft alpha with the outline of a hard one; 0.1 and 0.9 lie `BAND_SHARE` of the long side beside it."""
    half_width = max(1.0, BAND_SHARE * max(alpha.shape))
    log_odds = np.clip(signed_distance(alpha >= 0.5) / half_width * 2.2, -4.0, 4.0)  # logit(0.9) = 2.2
    return from_log_odds(log_odds)
