"""One sheet to judge a mesh by: the photo, the cutout, and the mesh from six sides."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from services.common.mesh_views import contact_sheet, read_mesh, render_views

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
    sheet = contact_sheet(_thumbnail(photo, "RGB"), _thumbnail(cutout, "RGBA"), views)
    out = io.BytesIO()
    Image.fromarray(sheet).save(out, "PNG", compress_level=6)
    return out.getvalue()


def _thumbnail(data: bytes, mode: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    with Image.open(io.BytesIO(data)) as picture:
        upright = ImageOps.exif_transpose(picture).convert(mode)
    upright.thumbnail((_SIDE_PX, _SIDE_PX))
    return np.asarray(upright)
