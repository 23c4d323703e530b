"""Pictures of the steps between, for people who want to see why."""

from __future__ import annotations

import numpy as np

from services.common.arrays import RGB, Alpha, alpha_to_bytes
from services.common.drawing.depth_colours import colour_depth
from services.common.imaging.working_size import shrink_to
from services.orchestrator.masked_photo import MaskedPhoto
from services.orchestrator.output.encoding import encode_png
from unflat.v1 import orchestrator_pb2 as pb

PREVIEW_PX = 512  # a few kilobytes that a page can show while the rest is still being made


def debug_pictures(masked: MaskedPhoto) -> list[pb.DebugPicture]:
    """Return raw, segmentation and hybrid masks, and with depth its coloured map and its mask, as PNG."""
    pictures = {"segmentation": alpha_to_bytes(masked.refined), "hybrid": alpha_to_bytes(masked.alpha)}
    if masked.raw_alpha is not None:
        pictures["raw"] = alpha_to_bytes(masked.raw_alpha)
    if masked.depth is not None:
        pictures["depth"] = colour_depth(masked.depth)
    if masked.depth_mask is not None:
        pictures["depth_mask"] = alpha_to_bytes(masked.depth_mask.astype(np.float32))
    return [pb.DebugPicture(name=name, png=encode_png(picture)) for name, picture in pictures.items()]


def photo_picture(working: RGB) -> pb.DebugPicture:
    """Return the upright photo, small, for who would otherwise have to decode it again."""
    return pb.DebugPicture(name="photo", png=encode_png(shrink_to(working, PREVIEW_PX)))


def preview_mask(alpha: Alpha) -> bytes:
    """Return a mask as a small grey PNG, its longer side at most `PREVIEW_PX`."""
    return encode_png(alpha_to_bytes(shrink_to(alpha, PREVIEW_PX)))
