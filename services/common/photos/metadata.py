"""What a photo says of itself beside its pixels, and how much of it is handed on."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace

from services.common.choices import MetadataMode
from services.common.photos import exif_block, xmp_packet

METRES_AN_INCH = 0.0254  # PNG counts pixels a metre


@dataclass(frozen=True)
class Metadata:
    """What a photo says of itself, ready to be written again with its upright pixels."""

    exif: bytes = b""  # `Exif\0\0` and the block; Orientation reset to 1, sizes as decoded
    icc: bytes = b""  # the profile that `Photo.pixels` are in; empty means sRGB
    xmp: bytes = b""
    dpi: tuple[float, float] | None = None  # resolution (across, down)


def keep(metadata: Metadata, mode: MetadataMode) -> Metadata:
    """Return what `mode` lets through.

    Without positions (`no-gps`) a block that cannot be read is dropped, since nobody knows what it says. The colour
    profile stays in every mode, since without it the pixels would show other colours, and so does the resolution.
    """
    if mode == "all":
        return metadata
    if mode == "none":
        return Metadata(icc=metadata.icc, dpi=metadata.dpi)
    exif = b""
    with contextlib.suppress(ValueError):
        exif = exif_block.remove_gps(metadata.exif)
    return replace(metadata, exif=exif, xmp=xmp_packet.remove_gps(metadata.xmp))
