"""A closed volume between a front and a back sheet over a silhouette, and its surface.

The field is sampled on a (distance, row, column) grid in the camera's frustum, its zero surface taken by marching
cubes, and the vertices carried back to space one by one: what is closed in the frustum stays closed in space. Holes,
several parts and wires need no special case.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from skimage.measure import marching_cubes

from services.common.arrays import Faces, Float, Points
from services.mesher.geometry.camera import Camera, unproject
from services.mesher.inflate.silhouette import Silhouette

KEEP_OFF = 0.06  # |field| in cells kept off zero, or vertices fall together and the surface does not close
MIN_THICKNESS = 1.6  # cells across the solid anywhere inside: less would fall between grid points
MAX_SLOPE = 6.0  # of the front that counts for it: steeper is a step from one part to another


def build_surface(front: Float, back: Float, silhouette: Silhouette) -> tuple[Points, Faces]:
    """Return the closed surface of all points behind `front`, before `back` and inside the silhouette.

    Args:
        front: (h, w) float32 distance along the view axis in cells; read outside the silhouette too.
        back: the same.
        silhouette: the outline.

    Returns:
        (n, 3) float64 vertices as (column, row, distance) in cells, and (m, 3) int32 faces. Which side is out depends
        on the frame they are carried to.
    """
    inside = silhouette.mask
    back = np.where(inside, np.maximum(back, front + MIN_THICKNESS * _steepness(front)), np.maximum(back, front))
    nearest = float(np.floor(front[inside].min())) - 2.0
    layers = int(np.ceil(float(back[inside].max()) - nearest)) + 3
    level = (nearest + np.arange(layers, dtype=np.float32))[:, None, None]
    field = np.minimum(level - front, back - level)
    np.minimum(field, silhouette.distance, out=field)
    # Outside the outline alone decides, or the rim becomes scalloped; on it counts as outside, or the solid is open.
    field[:, ~inside] = np.minimum(silhouette.distance[~inside], -KEEP_OFF)
    np.clip(field, -4.0, 4.0, out=field)
    close = np.abs(field) < KEEP_OFF
    field[close] = np.where(field[close] >= 0, KEEP_OFF, -KEEP_OFF)
    march: Callable[..., Any] = marching_cubes  # scikit-image is not annotated
    vertices, faces, _, _ = march(field, 0.0, allow_degenerate=False)
    points = vertices[:, ::-1].astype(np.float64)
    points[:, 2] += nearest
    return points, np.asarray(faces, dtype=np.int32)


def carry_to_space(points: Points, silhouette: Silhouette, camera: Camera) -> Points:
    """Return (column, row, distance) in cells as points in the camera's space, in pixels at the focal length."""
    u = silhouette.x0 + points[:, 0] * silhouette.cell_px
    v = silhouette.y0 + points[:, 1] * silhouette.cell_px
    return unproject(u, v, np.maximum(points[:, 2], 1.0) * silhouette.cell_px, camera)


def _steepness(sheet: Float) -> Float:
    """Return √(1 + |∇sheet|²): the thickness along the view axis of what is one cell thick across."""
    down, across = np.gradient(sheet)
    slope = np.minimum(np.hypot(down, across), MAX_SLOPE)
    return np.asarray(np.sqrt(1.0 + cv2.blur(slope.astype(np.float32), (3, 3)) ** 2), dtype=np.float32)
