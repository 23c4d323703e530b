import io
import zipfile

import numpy as np
import pytest
import trimesh

from services.common.drawing.mesh_file import read_mesh
from services.mesher.export import export
from services.mesher.geometry.mesh import Mesh, is_watertight, merge_by_position


@pytest.fixture
def coloured() -> Mesh:
    ball = trimesh.creation.icosphere(2, 0.5)
    colours = np.random.default_rng(3).integers(0, 256, (len(ball.vertices), 3)).astype(np.uint8)
    return Mesh(np.asarray(ball.vertices), np.asarray(ball.faces, np.int32), colours)


@pytest.fixture
def textured(coloured: Mesh) -> Mesh:
    soup = coloured.vertices[coloured.faces].reshape(-1, 3)
    uv = np.clip(soup[:, :2] + 0.5, 0, 1).astype(np.float32)
    texture = np.zeros((16, 16, 3), np.uint8)
    texture[:8] = (250, 0, 0)
    texture[8:] = (0, 0, 250)
    return Mesh(soup, np.arange(len(soup), dtype=np.int32).reshape(-1, 3), None, uv, texture)


@pytest.mark.parametrize("form", ["glb", "obj", "ply", "stl"])
def test_file_read_again_has_the_same_shape(coloured: Mesh, form: str) -> None:
    vertices, faces, _ = read_mesh(export(coloured, form), form)
    merged, _ = merge_by_position(np.round(vertices, 5), faces)
    expected, _ = merge_by_position(np.round(coloured.vertices, 5), coloured.faces)
    assert len(faces) == len(coloured.faces)
    assert np.allclose(np.sort(merged, axis=0), np.sort(expected, axis=0), atol=2e-5)


@pytest.mark.parametrize("form", ["glb", "obj", "ply"])
def test_vertex_colours_survive(coloured: Mesh, form: str) -> None:
    _, _, colours = read_mesh(export(coloured, form), form)
    assert colours is not None and coloured.colours is not None
    assert np.abs(colours.astype(int) - coloured.colours).max() <= 1


def test_glb_of_a_mesh_cut_along_seams_is_watertight_once_merged(textured: Mesh) -> None:
    vertices, faces, _ = read_mesh(export(textured, "glb"), "glb")
    assert is_watertight(merge_by_position(vertices, faces)[1])


def test_glb_material_is_no_metal(coloured: Mesh) -> None:
    scene = trimesh.load(io.BytesIO(export(coloured, "glb")), file_type="glb")
    material = next(iter(scene.geometry.values())).visual.material
    assert material.metallicFactor == 0.0


def test_glb_has_smooth_normals_across_seams(textured: Mesh) -> None:
    scene = trimesh.load(io.BytesIO(export(textured, "glb")), file_type="glb", process=False)
    body = next(iter(scene.geometry.values()))
    outward = body.vertices / np.linalg.norm(body.vertices, axis=1, keepdims=True)
    assert np.einsum("ij,ij->i", body.vertex_normals, outward).min() > 0.99


def test_glb_carries_its_texture(textured: Mesh) -> None:
    _, _, colours = read_mesh(export(textured, "glb"), "glb")
    assert colours is not None
    assert (colours[textured.vertices[:, 1] > 0.2, 0] > 200).all()
    assert (colours[textured.vertices[:, 1] < -0.2, 2] > 200).all()


def test_textured_obj_is_a_zip_whose_parts_name_each_other(textured: Mesh) -> None:
    with zipfile.ZipFile(io.BytesIO(export(textured, "obj"))) as archive:
        names = set(archive.namelist())
        text = {name: archive.read(name) for name in names}
    mtl = next(name for name in names if name.endswith(".mtl"))
    png = next(name for name in names if name.endswith(".png"))
    obj = next(name for name in names if name.endswith(".obj"))
    assert mtl.encode() in text[obj]
    assert png.encode() in text[mtl]
    assert text[png].startswith(b"\x89PNG")


def test_the_material_of_a_textured_obj_leaves_the_texture_as_it_is(textured: Mesh) -> None:
    archive = zipfile.ZipFile(io.BytesIO(export(textured, "obj")))
    [name] = [name for name in archive.namelist() if name.endswith(".mtl")]
    said = dict(line.split(maxsplit=1) for line in archive.read(name).decode().splitlines() if " " in line)
    assert [float(value) for value in said["Kd"].split()] == [1, 1, 1]
    assert [float(value) for value in said["Ks"].split()] == [0, 0, 0]


def test_ply_carries_the_texture_as_colours_of_its_vertices(textured: Mesh) -> None:
    vertices, _, colours = read_mesh(export(textured, "ply"), "ply")
    assert colours is not None
    upper, lower = vertices[:, 1] > 0.05, vertices[:, 1] < -0.05
    assert (colours[upper] == (250, 0, 0)).all()
    assert (colours[lower] == (0, 0, 250)).all()
