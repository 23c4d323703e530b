"""Which of two outlines does the photo follow? Each region that changed sides is judged by the contrast along both.

A changed region has two borders: the old outline (towards pixels that were on the other side) and the new one. The
better mask is the one whose outline crosses more colour contrast.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from services.common.arrays import BoolMask, Float

SPAN = 2  # pixels across which contrast is measured: an outline is known to about that


def outline_gain(lab: npt.NDArray[np.uint8], before: BoolMask, after: BoolMask) -> Float:
    """Return how much more contrast the new outline has, for each region that changed sides.

    Args:
        lab: (H, W, 3) uint8.
        before: (H, W) bool.
        after: (H, W) bool.
    Returns:
        (H, W) float32: mean Lab distance across the new outline divided by that across the old one, minus 1; 0 where
        nothing changed, and where a region has only one of the two borders.

    An edge of the photo at column 4; the outline moves to it from column 6:

    >>> lab = np.zeros((6, 10, 3), dtype=np.uint8)
    >>> lab[:, 4:] = 100
    >>> columns = np.broadcast_to(np.arange(10), (6, 10))
    >>> bool(outline_gain(lab, columns < 6, columns < 4)[3, 5] > 1)
    True
    """
    changed = before != after
    count, labels = cv2.connectedComponents(changed.astype(np.uint8), connectivity=4)
    old_sum, old_n, new_sum, new_n = (np.zeros(count) for _ in range(4))
    colour = lab.astype(np.float32)
    height, width = before.shape
    for dy, dx in ((0, 1), (1, 0)):
        a, b = np.s_[: height - dy, : width - dx], np.s_[dy:, dx:]
        contrast = _contrast(colour, dy, dx, np.asarray(changed[a] != changed[b]))
        for own, other in ((a, b), (b, a)):
            rim = changed[own] & ~changed[other]
            region = labels[own][rim]
            moved_away = before[own][rim] != before[other][rim]  # the old outline ran between these two
            value = contrast[rim]
            old_sum += np.bincount(region, value * moved_away, minlength=count)
            old_n += np.bincount(region, moved_away, minlength=count)
            new_sum += np.bincount(region, value * ~moved_away, minlength=count)
            new_n += np.bincount(region, ~moved_away, minlength=count)
    both = (old_n > 0) & (new_n > 0)
    ratio = (new_sum / np.maximum(new_n, 1) + 1.0) / (old_sum / np.maximum(old_n, 1) + 1.0)  # + 1: noise of 8 bits
    gain = np.where(both, ratio - 1.0, 0.0)
    gain[0] = 0.0
    return np.asarray(gain[labels], dtype=np.float32)


def _contrast(colour: Float, dy: int, dx: int, where: BoolMask) -> Float:
    """Return (H - dy, W - dx) float32, the Lab distance between points `SPAN` pixels apart around each pair `where`."""
    reach = SPAN // 2
    height, width = colour.shape[:2]
    y, x = np.nonzero(where)
    near = colour[np.maximum(y - reach * dy, 0), np.maximum(x - reach * dx, 0)]
    far = colour[np.minimum(y + (reach + 1) * dy, height - 1), np.minimum(x + (reach + 1) * dx, width - 1)]
    contrast = np.zeros(where.shape, dtype=np.float32)
    contrast[y, x] = np.sqrt(((near - far) ** 2).sum(axis=1))
    return contrast
