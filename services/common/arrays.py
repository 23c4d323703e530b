"""The array types that travel through unflat, named once.

Convention: images are (H, W, C) and row-major, points are (x, y), sizes are (width, height) only where a library
insists. No function writes to an array it was given.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

RGB: TypeAlias = npt.NDArray[np.uint8]
"""(H, W, 3) uint8, sRGB, upright."""

RGBA: TypeAlias = npt.NDArray[np.uint8]
"""(H, W, 4) uint8, sRGB with straight (not premultiplied) alpha."""

Pixels: TypeAlias = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
"""(H, W, 3) in the photo's own colour space and bit depth."""

Alpha: TypeAlias = npt.NDArray[np.float32]
"""(H, W) float32 in [0, 1]: the share of each pixel that the subject covers."""

BoolMask: TypeAlias = npt.NDArray[np.bool_]
"""(H, W) bool, subject True."""

Trimap: TypeAlias = npt.NDArray[np.uint8]
"""(H, W) uint8: 0 background, 128 unknown, 255 foreground."""

InverseDepth: TypeAlias = npt.NDArray[np.float32]
"""(H, W) float32, relative inverse depth: larger is nearer, no unit, scale and shift unknown. NaN where unseen."""

Points: TypeAlias = npt.NDArray[np.float64]
"""(n, 3) float64."""

Faces: TypeAlias = npt.NDArray[np.int32]
"""(m, 3) int32 indices into (n, 3) points, counter-clockwise seen from outside."""

Colours: TypeAlias = npt.NDArray[np.uint8]
"""(n, 3) uint8 sRGB, one row a vertex."""

Float: TypeAlias = npt.NDArray[np.float32]
"""Any float32 array whose meaning its name tells."""


def alpha_to_bytes(alpha: Alpha) -> npt.NDArray[np.uint8]:
    """Return `alpha` as (H, W) uint8, rounded to the nearest of 256 steps."""
    return np.asarray(np.rint(np.clip(alpha, 0.0, 1.0) * 255.0), dtype=np.uint8)


def alpha_from_bytes(values: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> Alpha:
    """Return (H, W) uint8 or uint16 as float32 in [0, 1]."""
    return np.asarray(values, dtype=np.float32) / np.float32(np.iinfo(values.dtype).max)
