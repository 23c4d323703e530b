"""One sheet to judge a mesh by: the photo, the cutout, and the mesh from six sides."""

from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np
from PIL import Image

from services.common.drawing.mesh_views import contact_sheet, read_mesh, render_views
from services.common.photos.decoding import Photo, decode_photo

_SIDE_PX = 640  # of photo and cutout on the sheet


def preview_sheet(photo: bytes, cutout: bytes, mesh: bytes, form: Any) -> bytes:
    """Return the sheet as a PNG.

    Args:
        photo: the encoded photo.
        cutout: the cutout as a PNG.
        mesh: the mesh file.
        form: its format.
    """
    vertices, faces, colours = read_mesh(mesh, form)
    views = render_views(vertices, faces, colours)
    # Read as the services read it: every format and depth of colour that they take, upright and in sRGB.
    seen = Image.fromarray(decode_photo(photo, sys.maxsize).working)
    sheet = contact_sheet(_thumbnail(seen), _thumbnail(_open(cutout)), views)
    out = io.BytesIO()
    Image.fromarray(sheet).save(out, "PNG", compress_level=6)
    return out.getvalue()


def _open(cutout: bytes) -> Image.Image:
    pixels = decode_photo(cutout, sys.maxsize)
    return Image.fromarray(np.dstack([pixels.working, _alpha_at(pixels)]))


def _alpha_at(cutout: Photo) -> np.ndarray[Any, np.dtype[np.uint8]]:
    height, width = cutout.working.shape[:2]
    if cutout.own_alpha is None:
        return np.full((height, width), 255, np.uint8)
    return np.asarray(Image.fromarray(cutout.own_alpha).resize((width, height), Image.Resampling.BOX))


def _thumbnail(picture: Image.Image) -> np.ndarray[Any, np.dtype[np.uint8]]:
    small = picture.copy()
    small.thumbnail((_SIDE_PX, _SIDE_PX))
    return np.asarray(small)
