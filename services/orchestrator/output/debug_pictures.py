"""Pictures of the steps between, for people who want to see why."""

from __future__ import annotations

import numpy as np

from services.common.arrays import RGB, Alpha, BoolMask, InverseDepth, alpha_to_bytes
from services.common.drawing.depth_colours import colour_depth
from services.common.imaging.working_size import shrink_to
from services.orchestrator.output.encoding import encode_png
from unflat.v1 import orchestrator_pb2 as pb

PREVIEW_PX = 512  # a few kilobytes that a page can show while the rest is still being made


def debug_pictures(
    raw_alpha: Alpha | None, refined: Alpha, fused: Alpha, depth: InverseDepth | None, depth_mask: BoolMask | None
) -> list[pb.DebugPicture]:
    """Return raw, segmentation and hybrid masks, and with depth its coloured map and its mask, as PNG."""
    pictures = [
        pb.DebugPicture(name="segmentation", png=encode_png(alpha_to_bytes(refined))),
        pb.DebugPicture(name="hybrid", png=encode_png(alpha_to_bytes(fused))),
    ]
    if raw_alpha is not None:
        pictures.append(pb.DebugPicture(name="raw", png=encode_png(alpha_to_bytes(raw_alpha))))
    if depth is not None:
        pictures.append(pb.DebugPicture(name="depth", png=encode_png(colour_depth(depth))))
    if depth_mask is not None:
        pictures.append(pb.DebugPicture(name="depth_mask", png=encode_png(depth_mask.astype(np.uint8) * 255)))
    return pictures


def photo_picture(working: RGB) -> pb.DebugPicture:
    """Return the upright photo, small, for who would otherwise have to decode it again."""
    return pb.DebugPicture(name="photo", png=encode_png(shrink_to(working, PREVIEW_PX)))


def preview_mask(alpha: Alpha) -> bytes:
    """Return a mask as a small grey PNG, its longer side at most `PREVIEW_PX`."""
    return encode_png(alpha_to_bytes(shrink_to(alpha, PREVIEW_PX)))
