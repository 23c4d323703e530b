"""The depth mask of the global strategies: one cut through the whole depth map.

Convention: inverse depth, larger is nearer; the mask holds what is near.
"""

from __future__ import annotations

import cv2
import numpy as np

from services.common.arrays import BoolMask, Float, InverseDepth
from services.orchestrator.fusion.fusion_options import FusionOptions

NO_SPREAD = 1e-6  # relative range below which a depth map says nothing


def depth_mask(depth: InverseDepth, options: FusionOptions) -> BoolMask:
    """Return what is nearer than one global cut.

    Args:
        depth: (H, W) float32, larger is nearer; non-finite values count as farthest.
        options: `depth_percentile` N keeps depth ≥ max - N % of (max - min); then opening, closing and a median of the
            given sizes.
    Returns:
        (H, W) bool; all False if the depth has no spread.

    >>> depth = np.float32([[0, 5, 7, 10]])
    >>> depth_mask(depth, FusionOptions(depth_percentile=30, morph_kernel_size=1, blur_size=1)).tolist()
    [[False, False, True, True]]
    """
    scaled = to_unit(depth)
    if scaled is None:
        return np.zeros(depth.shape, dtype=np.bool_)
    percentile = options.depth_percentile
    limit = _otsu(scaled) if percentile == "auto" else 1.0 - percentile / 100.0
    near = (scaled >= limit).astype(np.uint8)
    if options.morph_kernel_size > 1:
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (options.morph_kernel_size,) * 2)
        opened = cv2.morphologyEx(near, cv2.MORPH_OPEN, kernel)
        near = np.asarray(cv2.morphologyEx(opened, cv2.MORPH_CLOSE, kernel), dtype=np.uint8)
    if options.blur_size > 1:
        near = np.asarray(cv2.medianBlur(near, options.blur_size), dtype=np.uint8)
    return np.asarray(near > 0)


def to_unit(depth: InverseDepth) -> Float | None:
    """Return `depth` scaled from its own minimum and maximum to 0-1; None without spread or any finite value."""
    finite = np.isfinite(depth)
    if not finite.any():
        return None
    low, high = float(depth[finite].min()), float(depth[finite].max())
    if high - low <= NO_SPREAD * max(abs(low), abs(high)):
        return None
    return np.asarray(np.where(finite, (np.where(finite, depth, low) - low) / (high - low), 0.0), dtype=np.float32)


def _otsu(scaled: Float) -> float:
    """Return the cut that separates two groups of depths best (Otsu 1979), kept 20 to 50 percent below the top."""
    level, _ = cv2.threshold(np.rint(scaled * 255).astype(np.uint8), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return float(np.clip(level / 255.0, 0.5, 0.8))
