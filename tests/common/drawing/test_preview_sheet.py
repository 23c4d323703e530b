import numpy as np
import trimesh

from services.common.drawing.mesh_views import render_views
from services.common.drawing.preview_sheet import preview_sheet


def test_preview_holds_photo_cutout_and_views() -> None:
    box = trimesh.creation.box((1, 1, 1))
    photo = np.full((40, 60, 3), (10, 200, 30), np.uint8)
    cutout = np.zeros((50, 50, 4), np.uint8)
    cutout[10:40, 10:40] = (250, 20, 20, 255)
    sheet = preview_sheet(
        photo, cutout, render_views(np.asarray(box.vertices), np.asarray(box.faces, np.int32), None, side=64)
    )
    assert (sheet == (10, 200, 30)).all(axis=2).sum() > 1000
    assert (sheet == (250, 20, 20)).all(axis=2).sum() > 500


def test_transparent_cutout_shows_the_chequerboard() -> None:
    sheet = preview_sheet(
        np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8, 4), np.uint8), 6 * [np.zeros((64, 64, 3), np.uint8)]
    )
    assert (sheet == 205).all(axis=2).any()
