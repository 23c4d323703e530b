"""A cutout to the bytes of a picture file, with what the photo said of itself: EXIF, ICC profile and XMP.

PNG is written by OpenCV (16 bits, fast levels) and the metadata chunks are set in after its header (PNG specification,
third edition, §11.3); TIFF by `tiff.py`; JPEG and WebP by Pillow. Alpha is straight everywhere.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from services.common.arrays import Alpha, Pixels, alpha_to_bytes
from services.common.choices import ImageFormat, MetadataMode
from services.common.errors import InvalidOption
from services.common.photos.exif_block import strip_prefix
from services.common.photos.metadata import METRES_AN_INCH, Metadata, keep
from services.orchestrator.output.tiff import encode_tiff

MEDIA_TYPES: dict[ImageFormat, str] = {
    "png": "image/png",
    "webp": "image/webp",
    "tiff": "image/tiff",
    "jpeg": "image/jpeg",
}

_PNG_HEADER_BYTES = 33  # signature and IHDR: ancillary chunks go behind them
# Runs of equal bytes are all that pays at this level, and one filter for all rows.
_FAST_PNG = [
    cv2.IMWRITE_PNG_STRATEGY,
    cv2.IMWRITE_PNG_STRATEGY_RLE,
    cv2.IMWRITE_PNG_FILTER,
    cv2.IMWRITE_PNG_FILTER_PAETH,
]
_JPEG_QUALITY = 95
_JPEG_SEGMENT_BYTES = 65_000  # 65,533 less the names of EXIF and XMP segments
_WEBP_QUALITY = 92


@dataclass(frozen=True)
class EncodeOptions:
    """How a cutout is written.

    `png_level` 0–9: 1 is fast and 12 % larger than 6. `background` is (r, g, b) 8-bit to composite on, which ends in
    an opaque picture; JPEG needs one and takes white where none is given. `metadata` says what of the photo's own words
    is carried over. `with_mask` asks for the mask beside it, as an 8-bit PNG.
    """

    format: ImageFormat = "png"
    png_level: int = 1
    background: tuple[int, int, int] | None = None
    metadata: MetadataMode = "all"
    with_mask: bool = False


def encode_mask(alpha: Alpha, options: EncodeOptions) -> bytes:
    """Return the mask alone as an 8-bit grey picture."""
    return _write(alpha_to_bytes(alpha), Metadata(), options)


def encode_cutout(foreground: Pixels, alpha: Alpha, metadata: Metadata, options: EncodeOptions) -> bytes:
    """Return the cutout in the photo's bit depth and colour profile.

    Args:
        foreground: (H, W, 3) uint8 or uint16, the subject's own colours.
        alpha: (H, W) float32 in [0, 1].
        metadata: what to carry over.
        options: format and how.
    """
    metadata = keep(metadata, options.metadata)
    if options.background is not None or options.format == "jpeg":
        return _write(composite(foreground, alpha, options.background or (255, 255, 255)), metadata, options)
    full = np.iinfo(foreground.dtype).max
    channel = np.rint(np.clip(alpha, 0.0, 1.0) * np.float32(full)).astype(foreground.dtype)
    # Colour under zero alpha is nobody's: zero compresses, and no viewer that ignores alpha shows the background.
    colour = cv2.bitwise_and(foreground, foreground, mask=np.asarray(channel > 0).view(np.uint8))
    return _write(np.asarray(cv2.merge([*cv2.split(colour), channel])), metadata, options)


def composite(foreground: Pixels, alpha: Alpha, background: tuple[int, int, int]) -> Pixels:
    """Return C = αF + (1 − α)B in the foreground's bit depth."""
    full = np.iinfo(foreground.dtype).max
    B = np.asarray(background, dtype=np.float32) * np.float32(full / 255)
    a = np.clip(alpha, 0.0, 1.0)[:, :, None]
    mixed = np.rint(a * foreground.astype(np.float32) + (1 - a) * B)
    return mixed.astype(np.uint8) if full == 255 else mixed.astype(np.uint16)


def encode_png(array: npt.NDArray[Any], level: int = 1) -> bytes:
    """Return (H, W), (H, W, 3) or (H, W, 4) uint8 or uint16 as a PNG."""
    ordered = array
    if array.ndim == 3:
        code = cv2.COLOR_RGB2BGR if array.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
        ordered = cv2.cvtColor(np.ascontiguousarray(array), code)
    flags = [cv2.IMWRITE_PNG_COMPRESSION, level]
    if level == 1:
        flags += _FAST_PNG
    done, data = cv2.imencode(".png", ordered, flags)
    if not done:
        raise InvalidOption(f"a picture of shape {array.shape} could not be written as PNG")
    return bytes(data.tobytes())


def _write(array: npt.NDArray[Any], metadata: Metadata, options: EncodeOptions) -> bytes:
    if options.format == "png":
        return _with_png_metadata(encode_png(array, options.png_level), metadata)
    if options.format == "tiff":
        return encode_tiff(array, metadata)
    if array.dtype == np.uint16:
        array = np.rint(array.astype(np.float32) / 257).astype(np.uint8)
    fits = _fits_jpeg if options.format == "jpeg" else bool
    extra: dict[str, Any] = {}
    if fits(metadata.exif):
        extra["exif"] = metadata.exif
    if metadata.icc and array.ndim == 3:
        extra["icc_profile"] = metadata.icc
    if fits(metadata.xmp):
        extra["xmp"] = metadata.xmp
    if options.format == "jpeg":
        if metadata.dpi is not None:
            extra["dpi"] = tuple(round(value) for value in metadata.dpi)
        extra |= {"quality": _JPEG_QUALITY, "subsampling": 0}
    else:
        extra |= {"quality": _WEBP_QUALITY, "alpha_quality": 100, "exact": True}
    out = io.BytesIO()
    Image.fromarray(array).save(out, options.format.upper(), **extra)
    return out.getvalue()


def _fits_jpeg(block: bytes) -> bool:
    """Tell whether there is something, and it fits one JPEG segment; what does not is left out, not an error."""
    return 0 < len(block) <= _JPEG_SEGMENT_BYTES


def _with_png_metadata(png: bytes, metadata: Metadata) -> bytes:
    chunks = []
    if metadata.dpi is not None:
        per_metre = [round(value / METRES_AN_INCH) for value in metadata.dpi]
        chunks.append(_chunk(b"pHYs", struct.pack(">IIB", *per_metre, 1)))
    if metadata.icc and png[25] in (2, 6):  # a colour picture: the profile describes three channels
        chunks.append(_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc)))
    if metadata.exif:
        chunks.append(_chunk(b"eXIf", strip_prefix(metadata.exif)))
    if metadata.xmp:
        chunks.append(_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp))
    return png[:_PNG_HEADER_BYTES] + b"".join(chunks) + png[_PNG_HEADER_BYTES:]


def _chunk(kind: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")
