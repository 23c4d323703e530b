"""Thumbnails: a photo and its mask, small enough to be kept for every photo of a set."""

from __future__ import annotations

import base64
import io
import sys
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from services.common.arrays import RGB
from services.common.imaging.working_size import shrink_to
from services.common.photos.decoding import decode_photo

SIDE_PX = 256  # long side: fills a contact sheet's cell, and says enough of colours and position
_JPEG_QUALITY = 88


@dataclass(frozen=True)
class Thumbnail:
    """A photo of a set, small.

    Attributes:
        photo: (h, w, 3) uint8, sRGB, upright, long side at most `SIDE_PX`.
        mask: (h, w) uint8, 255 is subject.
    """

    photo: RGB
    mask: npt.NDArray[np.uint8]


def make_thumbnail(working: RGB, mask: bytes) -> Thumbnail:
    """Return the thumbnail of a photo.

    Args:
        working: (H, W, 3) uint8 sRGB, upright.
        mask: the mask as an encoded grey picture of the same shape at any size.
    """
    photo = shrink_to(working, SIDE_PX)
    decoded: npt.NDArray[Any] | None = cv2.imdecode(np.frombuffer(mask, np.uint8), cv2.IMREAD_GRAYSCALE)
    if decoded is None:
        raise ValueError("the mask is not a picture")
    small = cv2.resize(decoded, (photo.shape[1], photo.shape[0]), interpolation=cv2.INTER_AREA)
    return Thumbnail(photo, np.asarray(small, dtype=np.uint8))


def read_working(photo: bytes) -> RGB:
    """Return the photo as the networks see it: upright sRGB of at most 1024 px.

    Raises:
        InvalidImage: it is not a picture.
    """
    return decode_photo(photo, sys.maxsize).working


def thumbnail_to_dict(thumbnail: Thumbnail) -> dict[str, str]:
    """Return the thumbnail as text."""
    return {"photo": _text(_encode(thumbnail.photo, "JPEG")), "mask": _text(_encode(thumbnail.mask, "PNG"))}


def thumbnail_from_dict(texts: dict[str, str]) -> Thumbnail:
    """Return the thumbnail that `thumbnail_to_dict` wrote.

    Raises:
        ValueError: it is not one.
    """
    try:
        photo, mask = (Image.open(io.BytesIO(base64.b64decode(texts[key]))) for key in ("photo", "mask"))
        return Thumbnail(np.asarray(photo.convert("RGB")), np.asarray(mask.convert("L")))
    except (KeyError, OSError) as problem:
        raise ValueError(f"not a thumbnail: {problem}") from None


def photo_jpeg(thumbnail: Thumbnail) -> bytes:
    """Return the photo as a small JPEG."""
    return _encode(thumbnail.photo, "JPEG")


def cutout_webp(thumbnail: Thumbnail) -> bytes:
    """Return the cutout as a small WebP with alpha."""
    return _encode(np.dstack([thumbnail.photo, thumbnail.mask]), "WEBP")


def encode_png(mask: npt.NDArray[np.uint8]) -> bytes:
    """Return a mask as a PNG."""
    return bytes(cv2.imencode(".png", mask)[1].tobytes())


def _encode(array: npt.NDArray[np.uint8], form: str) -> bytes:
    out = io.BytesIO()
    extra: dict[str, Any] = {} if form == "PNG" else {"quality": _JPEG_QUALITY}
    Image.fromarray(array).save(out, form, **extra)
    return out.getvalue()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
