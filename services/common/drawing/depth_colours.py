"""Inverse depth as a picture for people."""

from __future__ import annotations

import cv2
import numpy as np

from services.common.arrays import RGB, InverseDepth

_CLIP_PERCENT = (1.0, 99.0)  # a few flying pixels must not take the whole range of colours


def colour_depth(depth: InverseDepth) -> RGB:
    """Return inverse depth as colours that grow evenly to the eye (inferno): dark is far, bright is near."""
    seen = np.isfinite(depth)
    low, high = np.percentile(depth[seen], _CLIP_PERCENT) if seen.any() else (0.0, 1.0)
    scaled = np.clip((np.where(seen, depth, low) - low) / max(float(high - low), 1e-9), 0.0, 1.0)
    coloured = cv2.applyColorMap(np.rint(scaled * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    return np.ascontiguousarray(coloured[:, :, ::-1], dtype=np.uint8)
