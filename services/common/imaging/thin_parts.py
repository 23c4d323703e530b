"""Where a mask is thin: wires, legs, spokes, and the narrow gaps between them. Smoothing must not touch these."""

from __future__ import annotations

import cv2
import numpy as np

from services.common.arrays import BoolMask

REACH_SHARE = 0.006  # radius of the disc that decides what is thin, of the long side
LENGTH_IN_RADII = 2.5  # a zone shorter than this is a rounded corner, not a thin part


def disc(radius: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return a disc of ones, (2r + 1, 2r + 1) uint8."""
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)), dtype=np.uint8)


def find_thin_parts(mask: BoolMask, reach_share: float = REACH_SHARE) -> BoolMask:
    """Mark the surroundings of thin parts and narrow gaps: where opening or closing by a disc changes the mask.

    Args:
        mask: (H, W) bool.
        reach_share: radius of the disc, share of the long side.
    Returns:
        (H, W) bool, the zones grown by about one radius.

    >>> body_with_wire = np.zeros((40, 40), dtype=bool)
    >>> body_with_wire[10:30, 5:20] = body_with_wire[20, 20:38] = True
    >>> thin = find_thin_parts(body_with_wire)
    >>> thin[20, 30], thin[20, 10]
    (np.True_, np.False_)
    """
    radius = max(1, round(reach_share * max(mask.shape)))
    inside = mask.astype(np.uint8)
    opened = cv2.morphologyEx(inside, cv2.MORPH_OPEN, disc(radius))
    closed = cv2.morphologyEx(inside, cv2.MORPH_CLOSE, disc(radius))
    changed = ((opened != inside) | (closed != inside)).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(changed, connectivity=8)
    length = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    long_enough = (length >= LENGTH_IN_RADII * radius) & (stats[:, cv2.CC_STAT_AREA] >= radius * radius)
    long_enough[0] = False
    zones = long_enough[labels].astype(np.uint8)
    margin = 2 * (radius // 2) + 3
    return np.asarray(cv2.dilate(zones, np.ones((margin, margin), np.uint8)) > 0)
