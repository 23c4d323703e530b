"""The pictures of docs/meshes.md are drawn by a command."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.depth_relief import FIXED
from evaluation.mesh_pictures import BODIES, TILE_PX, draw_baked, draw_depth, draw_extracted
from evaluation.sets import open_set


def _item(name: str):
    return next(item for item in open_set(FIXED) if item.name == name)


def test_exact_dented_and_mended_front_look_different() -> None:
    sheet = draw_depth(_item("p0213_teapot")).astype(int)
    tile = sheet.shape[1] // 6
    exact, dented, mended = (sheet[:TILE_PX, 2 * k * tile : (2 * k + 1) * tile] for k in range(3))
    assert all(np.abs(one - other).max() > 20 for one, other in ((exact, dented), (dented, mended)))


def test_baked_sheet_has_photo_atlas_and_three_views() -> None:
    sheet = draw_baked(_item("p0209_vase"), 256)
    assert sheet.shape[1] > 5 * TILE_PX
    assert np.ptp(sheet) > 200


def test_every_body_is_drawn_from_two_sides() -> None:
    pytest.importorskip("torch", reason="the decoder runs on torch")
    assert draw_extracted(48).shape[1] > 2 * len(BODIES) * TILE_PX
