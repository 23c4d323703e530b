"""The sheet to judge a mesh by."""

from __future__ import annotations

import io

import numpy as np
import pytest
import trimesh
from PIL import Image

from services.cli.preview import draw_preview


def _encoded(array: np.ndarray, form: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.fromarray(array).save(out, form)
    return out.getvalue()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_a_sheet_is_drawn_from_photos_of_any_format(form):
    photo = _encoded(np.full((60, 90, 3), (200, 60, 40), np.uint8), form)
    cutout = _encoded(np.dstack([np.full((60, 90, 3), 200, np.uint8), np.full((60, 90), 255, np.uint8)]))
    mesh = trimesh.creation.icosphere(subdivisions=2).export(file_type="glb")
    sheet = np.asarray(Image.open(io.BytesIO(draw_preview(photo, cutout, mesh, "glb"))))
    assert sheet.ndim == 3
    near_red = np.abs(sheet[:, :, :3].astype(int) - (200, 60, 40)).max(axis=2) < 12
    assert near_red.sum() > 1000, "the photo is not on the sheet"
