"""Work on a smaller picture and bring only the *changes* back, so that untouched pixels keep their exact value."""

from __future__ import annotations

from typing import TypeVar, cast

import cv2
import numpy as np

from services.common.arrays import RGB, Alpha, Float

Pixels = TypeVar("Pixels", RGB, Float)


def shrink_to(values: Pixels, long_side: int) -> Pixels:
    """Return `values` with its long side at most `long_side`, averaged over areas; a smaller array comes back as it is.

    Args:
        values: (H, W) or (H, W, 3), uint8 or float32.
        long_side: upper limit in pixels, at least 1.

    >>> shrink_to(np.arange(8, dtype=np.float32).reshape(2, 4), 2).tolist()
    [[2.5, 4.5]]
    """
    height, width = values.shape[:2]
    scale = long_side / max(height, width)
    if scale >= 1:
        return values
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cast(Pixels, cv2.resize(values, size, interpolation=cv2.INTER_AREA))


def resize(values: Float, shape: tuple[int, ...]) -> Float:
    """Return (h, w) `values` at the height and width of `shape`: averaged over areas when shrinking, else bilinear."""
    height, width = shape[:2]
    if values.shape == (height, width):
        return values
    shrinking = width < values.shape[1]
    how = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(values, (width, height), interpolation=how), dtype=np.float32)


def apply_change(alpha: Alpha, before: Alpha, after: Alpha) -> Alpha:
    """Return `alpha` plus the enlarged difference of two versions of its shrunken copy.

    Args:
        alpha: (H, W) float32 in [0, 1] at full size.
        before: (h, w) float32 in [0, 1], `alpha` shrunk.
        after: (h, w) float32 in [0, 1], what became of `before`.
    Returns:
        (H, W) float32 in [0, 1], bit equal to `alpha` where nothing changed.

    >>> alpha = np.full((4, 4), 0.3, dtype=np.float32)
    >>> small = shrink_to(alpha, 2)
    >>> bool((apply_change(alpha, small, small) == alpha).all())
    True
    """
    change: Float = after - before
    if change.shape != alpha.shape:
        enlarged = cv2.resize(change, (alpha.shape[1], alpha.shape[0]), interpolation=cv2.INTER_LINEAR)
        change = np.asarray(enlarged, dtype=np.float32)
    return np.asarray(np.where(change == 0, alpha, np.clip(alpha + change, 0.0, 1.0)), dtype=np.float32)
