"""The preview of a mesh, drawn from the photo's and the cutout's files."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from PIL import Image

from services.common.drawing.preview_sheet import preview_png
from services.common.photos.decoding import Photo, decode_photo

_SIDE_PX = 640  # of photo and cutout before they are laid out


def draw_preview(photo: bytes, cutout: bytes, mesh: bytes, format: Any) -> bytes:  # noqa: A002 - the word users know
    """Return the preview as a PNG.

    Args:
        photo: the encoded photo; read as the services read it: every format, upright and in sRGB.
        cutout: the cutout as a PNG.
        mesh: the mesh file.
        format: its format.
    """
    seen = Image.fromarray(decode_photo(photo, sys.maxsize).working)
    return preview_png(_shrink(seen), _shrink(_open(cutout)), mesh, format)


def _open(cutout: bytes) -> Image.Image:
    pixels = decode_photo(cutout, sys.maxsize)
    return Image.fromarray(np.dstack([pixels.working, _alpha_at(pixels)]))


def _alpha_at(cutout: Photo) -> np.ndarray[Any, np.dtype[np.uint8]]:
    height, width = cutout.working.shape[:2]
    if cutout.own_alpha is None:
        return np.full((height, width), 255, np.uint8)
    return np.asarray(Image.fromarray(cutout.own_alpha).resize((width, height), Image.Resampling.BOX))


def _shrink(picture: Image.Image) -> np.ndarray[Any, np.dtype[np.uint8]]:
    small = picture.copy()
    small.thumbnail((_SIDE_PX, _SIDE_PX))
    return np.asarray(small)
