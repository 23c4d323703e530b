from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from services.common.errors import InvalidOption
from services.mesher.geometry.camera import Camera
from services.mesher.geometry.mesh import Mesh, is_watertight, merge_by_position
from services.mesher.inflate import inflate
from services.mesher.texture.baking import bake

Field = npt.NDArray[np.float32]
Cut = Callable[..., npt.NDArray[np.uint8]]


@pytest.fixture
def two_coloured(disc: Field, cut: Cut, pixels: tuple[Field, Field]) -> npt.NDArray[np.uint8]:
    rgba = cut(disc)
    rgba[(pixels[0] > 96) & (rgba[..., 3] > 127), :3] = (30, 180, 30)
    return rgba


def colours_at_vertices(mesh: Mesh) -> npt.NDArray[np.int64]:
    assert mesh.uv is not None and mesh.texture is not None
    size = mesh.texture.shape[0]
    column = np.clip((mesh.uv[:, 0] * size).astype(int), 0, size - 1)
    row = np.clip(((1 - mesh.uv[:, 1]) * size).astype(int), 0, size - 1)
    return mesh.texture[row, column].astype(np.int64)


@pytest.fixture
def baked(two_coloured: npt.NDArray[np.uint8], camera: Camera) -> Mesh:
    return bake(inflate(two_coloured, None, camera, 3000), two_coloured, camera, 256)


def test_left_and_right_of_the_photo_are_left_and_right_of_the_front(baked: Mesh) -> None:
    colours, x = colours_at_vertices(baked), baked.vertices[:, 0]
    front = baked.vertices[:, 2] > 0.15
    assert (colours[front & (x > 0.1), 1] > colours[front & (x > 0.1), 0]).all()
    assert (colours[front & (x < -0.1), 0] > colours[front & (x < -0.1), 1]).all()


def test_background_colour_appears_nowhere(baked: Mesh) -> None:
    assert baked.texture is not None
    assert baked.texture[..., 2].max() < 100  # the background is blue, the subject is not


def test_textured_mesh_is_watertight_once_merged(baked: Mesh) -> None:
    assert is_watertight(merge_by_position(baked.vertices, baked.faces)[1])


def test_own_colours_serve_where_the_photo_sees_nothing(two_coloured: npt.NDArray[np.uint8], camera: Camera) -> None:
    mesh = inflate(two_coloured, None, camera, 3000)
    own = np.full((len(mesh.vertices), 3), (9, 9, 240), np.uint8)
    baked = bake(Mesh(mesh.vertices, mesh.faces, own), two_coloured, camera, 256)
    colours, z = colours_at_vertices(baked), baked.vertices[:, 2]
    assert (colours[z < -0.15, 2] > 200).mean() > 0.95
    assert (colours[z > 0.2, 2] < 100).mean() > 0.95


@pytest.mark.parametrize(("wanted", "least", "most"), [(800, 500, 800), (None, 2900, 3000)])
def test_no_more_faces_stay_than_were_asked_for_and_that_is_said(
    two_coloured: npt.NDArray[np.uint8], camera: Camera, wanted: int | None, least: int, most: int
) -> None:
    mesh = inflate(two_coloured, None, camera, 3000)
    baked = bake(mesh, two_coloured, camera, 256, faces=wanted)
    assert min(least, len(mesh.faces)) <= len(baked.faces) <= most
    assert any("for the texture" in note for note in baked.notes) == (len(baked.faces) < len(mesh.faces))


def test_resolution_out_of_range_is_refused(two_coloured: npt.NDArray[np.uint8], camera: Camera) -> None:
    with pytest.raises(InvalidOption, match="resolution"):
        bake(Mesh(np.zeros((0, 3)), np.zeros((0, 3), np.int32)), two_coloured, camera, 100_000)
