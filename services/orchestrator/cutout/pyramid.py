"""Halve pictures, mattes and masks alike: each small pixel is the mean of its four, an odd border is repeated."""

from __future__ import annotations

import cv2
import numpy as np

from services.common.arrays import BoolMask, Float, Pixels


def reduce_photo(photo: Pixels, size: tuple[int, int]) -> Pixels:
    """Return (h, w, 3) of `size` (width, height), smaller than the photo, by mean over areas, in the same type."""
    small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    if photo.dtype == np.uint16:
        return np.asarray(small, np.uint16)
    return np.asarray(small, np.uint8)


def halve_photo(photo: Pixels) -> Pixels:
    """Return (H, W, 3) at half its size, rounded up, in the same type."""
    if photo.dtype == np.uint16:
        return np.asarray(_mean_of_four(photo), np.uint16)
    return np.asarray(_mean_of_four(photo), np.uint8)


def halve(values: Float) -> Float:
    """Return (H, W) float32 at half its size, rounded up."""
    return np.asarray(_mean_of_four(values), np.float32)


def double(values: Float, shape: tuple[int, ...]) -> Float:
    """Return (H, W) of `shape`, bilinear: the way back from `halve`, aligned with it also where H or W is odd."""
    height, width = values.shape
    twice = cv2.resize(values, (2 * width, 2 * height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(twice[: shape[0], : shape[1]], np.float32)


def halve_any(mask: BoolMask) -> BoolMask:
    """Return (H, W) bool at half its size, rounded up: True where any of the four is."""
    height, width = mask.shape
    even = np.pad(mask, ((0, height % 2), (0, width % 2)))
    rows = even[::2] | even[1::2]
    return np.asarray(rows[:, ::2] | rows[:, 1::2])


def _mean_of_four(values: Pixels | Float) -> Pixels | Float:
    height, width = values.shape[:2]
    even = values
    if height % 2 or width % 2:
        even = cv2.copyMakeBorder(values, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)  # type: ignore[assignment]
    size = ((width + 1) // 2, (height + 1) // 2)
    return cv2.resize(even, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
