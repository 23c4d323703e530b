"""Six small pictures of a mesh: smooth normals, one soft light from above beside the viewer, orthographic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.common.arrays import RGB, Colours, Faces, Float, Points
from services.common.drawing.rasteriser import rasterise

GROUND = 238  # grey of the background
CLAY = (196, 190, 182)  # of a mesh without colours
FILL = 0.9  # share of the picture that the mesh may take, whichever way it is turned
LIGHT = (-0.35, 0.65, 0.67)  # in the view: from above, left of the viewer
AMBIENT, DIFFUSE = 0.62, 0.45  # gentle: the photo's own light is in the colours already
SUPERSAMPLING = 2


@dataclass(frozen=True)
class View:
    """Where a picture is taken from.

    Attributes:
        name: the caption.
        azimuth_degrees: 0 looks at the front (+Z), 90 at the right side (+X), counter-clockwise seen from above.
        elevation_degrees: 90 looks down from above.
    """

    name: str
    azimuth_degrees: float
    elevation_degrees: float


SIX_VIEWS: tuple[View, ...] = (
    View("front", 0, 0),
    View("right", 90, 0),
    View("back", 180, 0),
    View("left", 270, 0),
    View("top", 0, 89.9),
    View("three-quarter", 35, 25),
)


def render_views(
    vertices: Points,
    faces: Faces,
    colours: Colours | None,
    side: int = 256,
    views: tuple[View, ...] = SIX_VIEWS,
) -> list[RGB]:
    """Return one picture a view.

    Args:
        vertices: (n, 3) float, +Y up, +Z the front.
        faces: (m, 3) int, counter-clockwise seen from outside; faces seen from behind are drawn all the same.
        colours: (n, 3) uint8 sRGB, or None for clay.
        side: of each picture in pixels.
        views: where from.

    Returns:
        A list of (side, side, 3) uint8, all at the same scale.
    """
    if len(faces) == 0:
        return [np.full((side, side, 3), GROUND, dtype=np.uint8) for _ in views]
    points = np.asarray(vertices, dtype=np.float32)
    points = points - (points.min(axis=0) + points.max(axis=0)) / 2
    radius = float(np.sqrt((points**2).sum(axis=1).max()))
    points = points / max(radius, 1e-12)
    normals = _vertex_normals(points, faces)
    paint = np.broadcast_to(np.asarray(CLAY, np.uint8), points.shape) if colours is None else colours[:, :3]
    albedo = np.asarray(paint, dtype=np.float32)
    return [_draw(points, faces, normals, albedo, side, view) for view in views]


def _draw(points: Float, faces: Faces, normals: Float, albedo: Float, side: int, view: View) -> RGB:
    turn = _rotation(view)
    size = side * SUPERSAMPLING
    seen = points @ turn.T
    half = size / 2
    screen = np.stack([half + seen[:, 0] * half * FILL, half - seen[:, 1] * half * FILL], axis=1)
    face, weights, pixel = rasterise(screen, seen[:, 2], faces, size)

    corners = faces[face]
    normal = np.einsum("pk,pkc->pc", weights, normals[corners]) @ turn.T
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    light = np.asarray(LIGHT, np.float32) / np.float32(np.linalg.norm(LIGHT))
    shade = AMBIENT + DIFFUSE * np.maximum(np.abs(normal[:, 2:]) * 0.25 + 0.75 * (normal @ light)[:, None], 0.0)
    colour = np.einsum("pk,pkc->pc", weights, albedo[corners]) * shade
    canvas = np.full((size * size, 3), float(GROUND), dtype=np.float32)
    canvas[pixel] = np.minimum(colour, 255.0)
    small = canvas.reshape(side, SUPERSAMPLING, side, SUPERSAMPLING, 3).mean(axis=(1, 3))
    return np.asarray(np.rint(small), dtype=np.uint8)


def _rotation(view: View) -> Float:
    """Return the (3, 3) rotation that carries the mesh into the view: x right, y up, z towards the viewer."""
    azimuth, elevation = np.radians([view.azimuth_degrees, view.elevation_degrees])
    ca, sa, ce, se = np.cos(azimuth), np.sin(azimuth), np.cos(elevation), np.sin(elevation)
    about_y = np.array([[ca, 0, -sa], [0, 1, 0], [sa, 0, ca]])
    about_x = np.array([[1, 0, 0], [0, ce, -se], [0, se, ce]])
    return np.asarray(about_x @ about_y, dtype=np.float32)


def _vertex_normals(points: Float, faces: Faces) -> Float:
    """Return (n, 3) unit normals, the mean of the faces at a vertex weighted by their area."""
    from trimesh.geometry import mean_vertex_normals  # half a second to import, which most commands do without

    a, b, c = (points[faces[:, k]] for k in range(3))
    return np.asarray(mean_vertex_normals(len(points), faces, np.cross(b - a, c - a)), dtype=np.float32)
