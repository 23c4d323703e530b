"""Closed solids built from profiles and paths: lathe, sweep, rounded box.

Every solid is closed: after merging vertices by position each edge has exactly two faces, and faces turn
counter-clockwise seen from outside. Vertices are doubled along texture seams only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
Faces = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Solid:
    """One closed surface with texture coordinates.

    Attributes:
        vertices: (n, 3) float64, y up.
        faces: (m, 3) int32.
        uv: (n, 2) float64, in scene units along the surface where that makes sense, so that textures keep their scale.
    """

    vertices: Points
    faces: Faces
    uv: Points


def lathe(profile: npt.ArrayLike, segments: int = 64) -> Solid:
    """Turn a profile about the y axis.

    Args:
        profile: (k, 2) radius and height; starts and ends on the axis (radius 0), the inside on its left as drawn
            from bottom to top on the outside.
        segments: Steps around the axis.
    Raises:
        ValueError: The profile does not start and end on the axis, or touches it in between.
    """
    points = np.asarray(profile, dtype=np.float64)
    radius, height = points[:, 0], points[:, 1]
    if radius[0] != 0.0 or radius[-1] != 0.0 or (radius[1:-1] <= 0.0).any():
        raise ValueError("the profile has to start and end on the axis and to stay off it in between")
    count, columns = len(points), segments + 1
    turn = 2.0 * np.pi * np.arange(columns) / segments
    turn[-1] = 0.0  # the seam closes exactly
    around = -np.stack([np.sin(turn), np.zeros(columns), np.cos(turn)], axis=1)  # the seam is at the back
    vertices = radius[:, None, None] * around[None] + np.array([0.0, 1.0, 0.0]) * height[:, None, None]
    length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(radius), np.diff(height)))])
    girth = np.linspace(0.0, 2.0 * np.pi * float(radius.max()), columns)
    uv = np.stack(np.broadcast_arrays(girth[None, :], length[:, None]), axis=2)
    faces = _grid_faces(count, columns)
    low, high = faces[:, 0] // columns, faces[:, 2] // columns
    rings = np.stack([faces[:, corner] // columns for corner in range(3)], axis=1)
    on_axis = (rings == 0) | (rings == count - 1)
    keep = on_axis.sum(axis=1) < 2 if count > 2 else (low != high)
    return Solid(vertices.reshape(-1, 3), faces[keep], uv.reshape(-1, 2))


def sweep(
    path: npt.ArrayLike,
    width: float | npt.ArrayLike,
    height: float | npt.ArrayLike | None = None,
    sides: int = 16,
    up: Sequence[float] = (0.0, 1.0, 0.0),
    closed: bool = False,
) -> Solid:
    """Draw an elliptic section along a path.

    Args:
        path: (k, 3) points. A closed path does not repeat its first point.
        width: Half axis across `up` and the path; one number or (k,).
        height: Half axis towards `up`; as `width` where None.
        sides: Corners of the section.
        up: Where the section's height points at the start; carried along the path without twist.
        closed: Join the end to the start (for planar paths) instead of capping both.
    """
    points = np.asarray(path, dtype=np.float64)
    count = len(points)
    half_w = np.broadcast_to(np.asarray(width, dtype=np.float64), (count,))
    half_h = half_w if height is None else np.broadcast_to(np.asarray(height, dtype=np.float64), (count,))
    side, lift = _frames(points, np.asarray(up, dtype=np.float64), closed)
    turn = 2.0 * np.pi * np.arange(sides + 1) / sides
    turn[-1] = 0.0
    ring = np.cos(turn)[None, :, None] * (half_w[:, None] * side)[:, None, :]
    ring = ring + np.sin(turn)[None, :, None] * (half_h[:, None] * lift)[:, None, :]
    vertices = points[:, None, :] + ring
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    length = np.concatenate([[0.0], np.cumsum(steps)])
    if closed:
        vertices = np.concatenate([vertices, vertices[:1]])
        length = np.append(length, length[-1] + float(np.linalg.norm(points[0] - points[-1])))
    girth = np.linspace(0.0, 2.0 * np.pi * float(half_w.max()), sides + 1)
    uv = np.stack(np.broadcast_arrays(girth[None, :], length[:, None]), axis=2).reshape(-1, 2)
    faces = _grid_faces(len(vertices), sides + 1)
    flat = vertices.reshape(-1, 3)
    if closed:
        return Solid(flat, faces, uv)
    start, end = len(flat), len(flat) + 1
    last = (count - 1) * (sides + 1)
    step = np.arange(sides)
    caps = np.concatenate(
        [
            np.stack([np.full(sides, start), step + 1, step], axis=1),
            np.stack([np.full(sides, end), last + step, last + step + 1], axis=1),
        ]
    )
    return Solid(
        np.concatenate([flat, points[[0, -1]]]),
        np.concatenate([faces, caps]).astype(np.int32),
        np.concatenate([uv, [[0.0, 0.0], [0.0, length[-1]]]]),
    )


def rounded_box(size: Sequence[float], bevel: float, steps: int = 3) -> Solid:
    """Return a box about the origin whose edges are rounded with radius `bevel`."""
    half = np.asarray(size, dtype=np.float64) / 2.0
    bevel = min(bevel, 0.49 * 2.0 * float(half.min()))
    angle = np.linspace(-np.pi / 4.0, 0.0, steps + 1)
    vertices, faces, uv = [], [], []
    offset = 0
    for axis in range(3):
        a, b = (axis + 1) % 3, (axis + 2) % 3
        for sign in (1.0, -1.0):
            across, along = _bevelled_steps(half[a], bevel, angle), _bevelled_steps(half[b], bevel, angle)
            grid = np.zeros((len(across), len(along), 3))
            grid[..., a], grid[..., b], grid[..., axis] = across[:, None], along[None, :], sign * half[axis]
            core = np.clip(grid, -(half - bevel), half - bevel)
            away = grid - core
            away /= np.maximum(np.linalg.norm(away, axis=2, keepdims=True), 1e-12)
            vertices.append((core + bevel * away).reshape(-1, 3))
            uv.append(grid[..., [a, b]].reshape(-1, 2))
            quads = _grid_faces(len(across), len(along))
            faces.append((quads if sign < 0.0 else quads[:, ::-1]) + offset)
            offset += len(across) * len(along)
    return Solid(np.concatenate(vertices), np.concatenate(faces).astype(np.int32), np.concatenate(uv))


def ball(radius: float | Sequence[float], segments: int = 48) -> Solid:
    """Return an ellipsoid about the origin with one radius or three (x, y, z)."""
    angle = np.linspace(-np.pi / 2.0, np.pi / 2.0, max(6, segments // 2))
    profile = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    profile[[0, -1], 0] = 0.0
    return scaled(lathe(profile, segments), radius)


def rod(start: Sequence[float], end: Sequence[float], radius: float, radius_end: float | None = None) -> Solid:
    """Return a straight round bar with slightly rounded ends."""
    a, b = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    last = radius if radius_end is None else radius_end
    length = float(np.linalg.norm(b - a))
    soft = min(0.3 * min(radius, last), 0.2 * length) / length
    at = np.array([0.0, soft, 1.0 - soft, 1.0])
    thick = np.array([radius - soft * length, radius, last, last - soft * length])
    up = (1.0, 0.0, 0.0) if abs(b[1] - a[1]) > 0.7 * length else (0.0, 1.0, 0.0)
    return sweep(a + at[:, None] * (b - a), thick, sides=16, up=up)


def moved(solid: Solid, shift: Sequence[float]) -> Solid:
    """Return the solid shifted by (x, y, z)."""
    return Solid(solid.vertices + np.asarray(shift, dtype=np.float64), solid.faces, solid.uv)


def scaled(solid: Solid, factor: float | Sequence[float]) -> Solid:
    """Return the solid scaled about the origin by one positive factor or three; texture coordinates scale along."""
    factors = np.broadcast_to(np.asarray(factor, dtype=np.float64), (3,))
    return Solid(solid.vertices * factors, solid.faces, solid.uv * float(factors.mean()))


def turned(solid: Solid, axis: str, degrees: float) -> Solid:
    """Return the solid turned about the x, y or z axis through the origin."""
    angle = np.radians(degrees)
    c, s = np.cos(angle), np.sin(angle)
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.eye(3)
    matrix[i, i], matrix[i, j], matrix[j, i], matrix[j, j] = c, -s, s, c
    return Solid(solid.vertices @ matrix.T, solid.faces, solid.uv)


def smooth_line(points: npt.ArrayLike, count: int) -> Points:
    """Return `count` points on a Catmull-Rom curve through the given ones (end tangents reach inwards)."""
    knots = np.asarray(points, dtype=np.float64)
    padded = np.concatenate([2.0 * knots[:1] - knots[1:2], knots, 2.0 * knots[-1:] - knots[-2:-1]])
    at = np.linspace(0.0, len(knots) - 1.0, count)
    left = np.minimum(at.astype(int), len(knots) - 2)
    t = (at - left)[:, None]
    p0, p1, p2, p3 = (padded[left + k] for k in range(4))
    bend = 2.0 * p0 - 5.0 * p1 + 4.0 * p2 - p3
    return np.asarray(
        0.5 * (2.0 * p1 + (p2 - p0) * t + bend * t**2 + (3.0 * p1 - p0 - 3.0 * p2 + p3) * t**3), dtype=np.float64
    )


def arc(centre: Sequence[float], radius: float, start: float, end: float, count: int = 8) -> Points:
    """Return (count, 2) points on a circle in the profile plane, angles in degrees, 0 outwards and 90 up."""
    angle = np.radians(np.linspace(start, end, count))
    return np.asarray(centre, dtype=np.float64) + radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def closed_mesh(solid: Solid) -> tuple[Points, Faces]:
    """Return the surface with texture seams closed: distinct (n, 3) positions and (m, 3) faces."""
    positions, index = merged_vertices(solid.vertices)
    return positions, index[solid.faces].astype(np.int32)


def merged_vertices(vertices: Points) -> tuple[Points, npt.NDArray[np.int64]]:
    """Return the distinct positions (to 1e-7) and, for every vertex, the index of its position."""
    keys = np.round(vertices * 1e7).astype(np.int64)
    _, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return vertices[first], np.asarray(inverse, dtype=np.int64).ravel()


def smooth_normals(solid: Solid) -> Points:
    """Return (n, 3) unit normals, averaged over faces that meet in a position (so seams do not show)."""
    positions, index = merged_vertices(solid.vertices)
    corners = solid.vertices[solid.faces]
    face_normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.zeros_like(positions)
    for corner in range(3):
        np.add.at(total, index[solid.faces[:, corner]], face_normal)
    total /= np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)
    return np.asarray(total[index], dtype=np.float64)


def _grid_faces(rows: int, columns: int) -> Faces:
    """Two triangles for each cell of a (rows, columns) vertex grid."""
    first = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)[None, :]).ravel()
    right, below = first + 1, first + columns
    return np.concatenate(
        [np.stack([first, right, below + 1], axis=1), np.stack([first, below + 1, below], axis=1)]
    ).astype(np.int32)


def _frames(points: Points, up: Points, closed: bool) -> tuple[Points, Points]:
    """Section axes (side, lift) carried along the path by projection, each (k, 3)."""
    around = np.roll(points, -1, axis=0) - np.roll(points, 1, axis=0)
    tangent = around if closed else np.asarray(np.gradient(points, axis=0))
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-12)
    lift = np.empty_like(points)
    current = up
    for k, along in enumerate(tangent):
        current = current - along * float(current @ along)
        current = current / max(float(np.linalg.norm(current)), 1e-12)
        lift[k] = current
    return np.cross(lift, tangent), lift


def _bevelled_steps(half: float, bevel: float, angle: Points) -> Points:
    """Positions across one box face: fine in the rounded rim, one step in the flat middle."""
    rim = half - bevel + bevel * np.tan(-angle)
    return np.concatenate([-rim, [0.0] if half > 4.0 * bevel else [], rim[::-1]])
