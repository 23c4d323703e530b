"""Mesh files, read for drawing."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from services.common.arrays import Colours, Faces, Points
from services.common.choices import MeshFormat


def read_mesh(data: bytes, format: MeshFormat) -> tuple[Points, Faces, Colours | None]:  # noqa: A002
    """Return vertices, faces and sRGB vertex colours of a mesh file, as `render_views` wants them.

    Linear vertex colours of a GLB become sRGB; a texture is read at the vertices.
    """
    import trimesh

    loaded = trimesh.load(io.BytesIO(data), file_type=format, process=False)
    body: Any = _one_body(loaded) if isinstance(loaded, trimesh.Scene) else loaded
    vertices = np.asarray(body.vertices, dtype=np.float64)
    faces = np.asarray(body.faces, dtype=np.int32)
    visual = body.visual
    if getattr(visual, "uv", None) is not None:
        return vertices, faces, np.asarray(visual.to_color().vertex_colors[:, :3], dtype=np.uint8)
    attributes = getattr(visual, "vertex_attributes", {})
    found = attributes.get("color")
    if found is None and visual.kind == "vertex":
        found = visual.vertex_colors
    if found is None:
        return vertices, faces, None
    share = np.asarray(found)[:, :3]
    light = share.astype(np.float64) / (255.0 if share.dtype.kind in "ui" else 1.0)
    if format == "glb":
        light = np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055)
    return vertices, faces, np.asarray(np.rint(np.clip(light, 0, 1) * 255), dtype=np.uint8)


def _one_body(scene: Any) -> Any:
    """Return the scene's only mesh where it stands, or all joined; joining several loses their vertex colours."""
    nodes = scene.graph.nodes_geometry
    if len(nodes) != 1:
        return scene.to_geometry()
    transform, name = scene.graph.get(nodes[0])
    body = scene.geometry[name]
    if not np.allclose(transform, np.eye(4)):
        body.apply_transform(transform)
    return body
