"""Pictures of the steps between, for people who want to see why."""

from __future__ import annotations

import cv2
import numpy as np

from services.common.arrays import RGB, Alpha, BoolMask, InverseDepth, alpha_to_bytes
from services.orchestrator.encoding import encode_png
from unflat.v1 import orchestrator_pb2 as pb

_CLIP_PERCENT = (1.0, 99.0)  # a few flying pixels must not take the whole range of colours


def debug_pictures(
    raw_alpha: Alpha, refined: Alpha, fused: Alpha, depth: InverseDepth | None, depth_mask: BoolMask | None
) -> list[pb.DebugPicture]:
    """Return raw, segmentation and hybrid masks, and with depth its coloured map and its mask, as PNG."""
    pictures = [
        pb.DebugPicture(name="raw", png=encode_png(alpha_to_bytes(raw_alpha))),
        pb.DebugPicture(name="segmentation", png=encode_png(alpha_to_bytes(refined))),
        pb.DebugPicture(name="hybrid", png=encode_png(alpha_to_bytes(fused))),
    ]
    if depth is not None:
        pictures.append(pb.DebugPicture(name="depth", png=encode_png(colour_depth(depth))))
    if depth_mask is not None:
        pictures.append(pb.DebugPicture(name="depth_mask", png=encode_png(depth_mask.astype(np.uint8) * 255)))
    return pictures


def colour_depth(depth: InverseDepth) -> RGB:
    """Return inverse depth as colours that grow evenly to the eye (inferno): dark is far, bright is near."""
    seen = np.isfinite(depth)
    low, high = np.percentile(depth[seen], _CLIP_PERCENT) if seen.any() else (0.0, 1.0)
    scaled = np.clip((np.where(seen, depth, low) - low) / max(float(high - low), 1e-9), 0.0, 1.0)
    coloured = cv2.applyColorMap(np.rint(scaled * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    return np.ascontiguousarray(coloured[:, :, ::-1], dtype=np.uint8)
