"""An atlas made in patches is one atlas: nothing lost, nothing twice, in the order of the mesh."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from services.mesher.texture import atlas as module
from services.mesher.texture.atlas import Atlas, find_texels, unwrap

SIDE = 512


@pytest.fixture(scope="module")
def ball() -> trimesh.Trimesh:
    return trimesh.creation.icosphere(4, 0.5)  # 5,120 faces: more than one patch


@pytest.fixture(scope="module")
def cut(ball: trimesh.Trimesh) -> Atlas:
    assert len(ball.faces) > module.PATCH_FACES
    return unwrap(np.asarray(ball.vertices), np.asarray(ball.faces, np.int32), SIDE)


def test_every_face_lies_where_it_did_and_in_its_order(ball: trimesh.Trimesh, cut: Atlas) -> None:
    placed = np.asarray(ball.vertices)[cut.source][cut.faces]
    np.testing.assert_array_equal(placed, np.asarray(ball.vertices)[ball.faces])


def test_faces_share_no_texel(cut: Atlas) -> None:
    a, b, c = (cut.uv[cut.faces[:, k]].astype(np.float64) * SIDE for k in range(3))
    areas = np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2
    assert len(find_texels(cut, SIDE).index) == pytest.approx(areas.sum(), rel=0.03)


def test_charts_stay_within_the_picture_and_fill_much_of_it(cut: Atlas) -> None:
    assert cut.uv.min() >= 0
    assert cut.uv.max() <= 1
    assert len(find_texels(cut, SIDE).index) > 0.3 * SIDE * SIDE


def test_one_face_is_a_patch_of_its_own() -> None:
    triangle = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    cut = unwrap(triangle, np.array([[0, 1, 2]], np.int32), SIDE)
    assert cut.faces.shape == (1, 3)
