"""A baked texture: the photo itself where the mesh faces it, the mesh's own colours or the photo's tones elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from services.common.arrays import RGBA, Faces, Points
from services.common.drawing.rasteriser import rasterise
from services.common.errors import InvalidOption
from services.mesher.geometry.camera import Camera, project
from services.mesher.geometry.mesh import Mesh, vertex_normals
from services.mesher.geometry.placement import place_before_camera
from services.mesher.geometry.simplification import simplify_mesh
from services.mesher.texture.atlas import find_texels, interpolate, unwrap
from services.mesher.texture.vertex_colours import clean_palette, facing_camera, fill_nearest, paint, photo_share

RESOLUTIONS = (256, 4096)
FACES = 30_000  # unless a number was asked for: the detail is in the texture, and a viewer's patience is short
MOST_FACES = 200_000  # 120,000 take 4 CPU seconds to unwrap, 30,000 take 1.8, 12,000 take 0.9
HIDDEN_SHARE = 0.03  # of the mesh's depth by which a point may lie behind what the camera sees there
DRAWING_PX = 512


def bake(mesh: Mesh, rgba: RGBA, camera: Camera, resolution: int = 1024, faces: int | None = None) -> Mesh:
    """Return the mesh with a texture; vertices are repeated along the seams of the atlas.

    Args:
        mesh: in the convention of `geometry/mesh.py`; its colours, if any, serve where the photo sees nothing.
        rgba: (H, W, 4) uint8 framed cutout that the mesh was made from.
        camera: of the frame.
        resolution: 256 to 4096, side of the texture in pixels.
        faces: the most that stay, up to 200,000; 30,000 unless given. More keep fine shape, and take time and bytes.
    Raises:
        InvalidOption: a resolution out of range.
        StageUnavailable: xatlas is not installed.
    """
    if not RESOLUTIONS[0] <= resolution <= RESOLUTIONS[1]:
        raise InvalidOption(
            f"texture resolution is {resolution}; wanted {RESOLUTIONS[0]} to {RESOLUTIONS[1]}",
            field="texture_resolution",
        )
    mesh = simplify_mesh(mesh, FACES if faces is None else min(faces, MOST_FACES), " for the texture")
    atlas = unwrap(mesh.vertices, mesh.faces, resolution)
    texels = find_texels(atlas, resolution)
    placed = place_before_camera(mesh.vertices, rgba[..., 3].astype(np.float32) / 255.0, camera)
    points = interpolate(placed, mesh.faces, texels)
    normals = interpolate(vertex_normals(placed, mesh.faces), mesh.faces, texels)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    pixels = project(points, camera)
    facing = np.where(
        _is_seen(points, pixels, placed, mesh.faces, camera, rgba.shape[:2]), facing_camera(points, normals), 0
    )

    sharp, soft = clean_palette(rgba)
    if mesh.colours is None:
        colours = paint(pixels, facing, sharp, soft)
    else:
        share = photo_share(facing)[:, None]
        own = interpolate(mesh.colours.astype(np.float64), mesh.faces, texels)
        colours = np.asarray(
            np.rint(share * paint(pixels, np.ones(len(pixels)), sharp, soft) + (1 - share) * own), np.uint8
        )
    picture = np.zeros((resolution * resolution, 3), dtype=np.uint8)
    known = np.zeros(resolution * resolution, dtype=np.bool_)
    picture[texels.index], known[texels.index] = colours, True
    shape = (resolution, resolution)
    texture = fill_nearest(picture.reshape(*shape, 3), known.reshape(shape))  # seams are dilated as far as it takes
    return replace(
        mesh, vertices=mesh.vertices[atlas.source], faces=atlas.faces, colours=None, uv=atlas.uv, texture=texture
    )


def _is_seen(
    points: Points, pixels: Points, vertices: Points, faces: Faces, camera: Camera, shape: tuple[int, int]
) -> npt.NDArray[np.bool_]:
    """Return which points the camera sees: nothing of the mesh stands before them.

    Args:
        points: (p, 3) in the camera's space.
        pixels: (p, 2) where they fall.
        vertices: (n, 3) of the whole mesh, in the camera's space.
        faces: (m, 3).
        camera: of the frame.
        shape: (H, W) of the frame.
    """
    factor = DRAWING_PX / max(shape)
    low, high = float(vertices[:, 2].min()), float(vertices[:, 2].max())
    near = ((vertices[:, 2] - low) / max(high - low, 1e-12)).astype(np.float32)
    screen = (project(vertices, camera) * factor).astype(np.float32)
    face, weights, index = rasterise(screen, near, faces, DRAWING_PX)
    nearest = np.full(DRAWING_PX * DRAWING_PX, -1.0, dtype=np.float32)
    nearest[index] = np.einsum("pk,pk->p", weights, near[faces[face]])
    column, row = (np.clip((pixels[:, k] * factor).astype(np.int64), 0, DRAWING_PX - 1) for k in (0, 1))
    own = (points[:, 2] - low) / max(high - low, 1e-12)
    return np.asarray(own >= nearest[row * DRAWING_PX + column] - HIDDEN_SHARE, dtype=np.bool_)
