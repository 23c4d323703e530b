"""Meshes as files: GLB, OBJ (a zip when textured), PLY and STL, self-contained, with normals where these fit."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from services.common.arrays import Colours
from services.common.choices import MeshFormat
from services.mesher.geometry.mesh import Mesh, normalise, vertex_normals

NAME = "subject"  # of the mesh, and of the files inside a zip
ROUGHNESS = 0.9  # the photo's light is baked into the colours, so the surface itself should not shine
COLOUR_ATTRIBUTE = "_COLOR_0"  # under a private name until the tree is renamed: trimesh writes 8-bit colours only


def export(mesh: Mesh, format: MeshFormat) -> bytes:  # noqa: A002 - the word users know
    """Return the mesh as the bytes of one file.

    GLB holds a non-metallic material, normals, and a texture or vertex colours (linear light, as glTF demands). OBJ is
    text with vertex colours, or a zip of .obj, .mtl and .png when the mesh is textured. PLY (with vertex colours) and
    STL (shape only) are binary.
    """
    if format == "glb":
        return _export_glb(mesh)
    if format == "obj":
        return _export_obj(mesh)
    if format == "ply":
        return bytes(_with_vertex_colours(mesh).export(file_type="ply", vertex_normal=True))
    return bytes(_bare(mesh).export(file_type="stl"))


def linear_light(colours: Colours) -> npt.NDArray[np.float32]:
    """Return (n, 3) sRGB bytes as linear light in [0, 1], IEC 61966-2-1.

    >>> linear_light(np.array([[0, 188, 255]], np.uint8)).round(2).tolist()
    [[0.0, 0.5, 1.0]]
    """
    srgb = colours.astype(np.float32) / 255.0
    return np.asarray(np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4), dtype=np.float32)


def _export_glb(mesh: Mesh) -> bytes:
    import trimesh

    gltf: Any = trimesh.exchange.gltf

    if mesh.texture is not None:
        body = _textured(mesh, _physical_material(mesh.texture))
    else:
        body = _bare(mesh)
        if mesh.colours is not None:
            body.vertex_attributes[COLOUR_ATTRIBUTE] = linear_light(mesh.colours)
    scene = trimesh.Scene()
    scene.add_geometry(body, node_name=NAME, geom_name=NAME)
    return bytes(gltf.export_glb(scene, include_normals=True, tree_postprocessor=_postprocess_tree))


def _postprocess_tree(tree: dict[str, Any]) -> None:
    """Give the vertex colours their public name and a material: glTF's default material is bare metal."""
    for mesh in tree["meshes"]:
        for primitive in mesh["primitives"]:
            if COLOUR_ATTRIBUTE in primitive["attributes"]:
                primitive["attributes"]["COLOR_0"] = primitive["attributes"].pop(COLOUR_ATTRIBUTE)
            if "material" not in primitive:
                tree["materials"] = [
                    {"name": NAME, "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": ROUGHNESS}}
                ]
                primitive["material"] = 0


def _export_obj(mesh: Mesh) -> bytes:
    import trimesh

    obj: Any = trimesh.exchange.obj

    if mesh.texture is None:
        return str(obj.export_obj(_with_vertex_colours(mesh), include_normals=True, header=None)).encode()
    text, files = obj.export_obj(
        _textured(mesh, _plain_material(mesh.texture)),
        include_normals=True,
        return_texture=True,
        write_texture=False,
        mtl_name=f"{NAME}.mtl",
        header=None,
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{NAME}.obj", text)
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


def _bare(mesh: Mesh) -> Any:
    import trimesh

    return trimesh.Trimesh(
        mesh.vertices, mesh.faces, vertex_normals=_seamless_normals(mesh), process=False, validate=False
    )


def _with_vertex_colours(mesh: Mesh) -> Any:
    body = _bare(mesh)
    colours = mesh.colours if mesh.texture is None else _texture_at_vertices(mesh)
    if colours is not None:
        body.visual.vertex_colors = colours
    return body


def _texture_at_vertices(mesh: Mesh) -> Colours:
    """Return the texture's colour at each vertex, for formats without textures."""
    assert mesh.texture is not None
    assert mesh.uv is not None
    height, width = mesh.texture.shape[:2]
    columns = np.clip(np.rint(mesh.uv[:, 0] * width - 0.5), 0, width - 1).astype(np.int64)
    rows = np.clip(np.rint((1 - mesh.uv[:, 1]) * height - 0.5), 0, height - 1).astype(np.int64)
    return np.asarray(mesh.texture[rows, columns, :3], dtype=np.uint8)


def _textured(mesh: Mesh, material: Any) -> Any:
    """Return the mesh for trimesh, whose classes are not annotated well enough to be more than Any here."""
    import trimesh

    visual: Any = trimesh.visual
    body = _bare(mesh)
    body.visual = visual.TextureVisuals(uv=mesh.uv, material=material)
    return body


def _physical_material(texture: npt.NDArray[np.uint8]) -> Any:
    import trimesh

    visual: Any = trimesh.visual
    return visual.material.PBRMaterial(
        name=NAME, baseColorTexture=Image.fromarray(texture), metallicFactor=0.0, roughnessFactor=ROUGHNESS
    )


def _plain_material(texture: npt.NDArray[np.uint8]) -> Any:
    """Return the material of an OBJ: it multiplies the texture, so it is white, and nothing shines."""
    import trimesh

    visual: Any = trimesh.visual
    white, black = [255, 255, 255, 255], [0, 0, 0, 255]
    return visual.material.SimpleMaterial(
        image=Image.fromarray(texture), diffuse=white, ambient=white, specular=black, glossiness=0.0, name=NAME
    )


def _seamless_normals(mesh: Mesh) -> npt.NDArray[np.float64]:
    """Return (n, 3) smooth normals that agree across texture seams, where vertices stand several times."""
    unit = normalise(mesh).vertices  # six decimals of what size the mesh has would join all of a small one
    _, first, inverse = np.unique(np.round(unit, 6), axis=0, return_index=True, return_inverse=True)
    if len(first) == len(mesh.vertices):
        return vertex_normals(mesh.vertices, mesh.faces)
    joined = inverse.reshape(-1)
    return vertex_normals(mesh.vertices[first], np.asarray(joined[mesh.faces], np.int32))[joined]
