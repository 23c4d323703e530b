"""Triangles through the cells that the surface passes: closed, outward, vertices where the field meets the level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.common.arrays import Faces, Points
from services.common.errors import InvalidOption
from services.mesher.extract.cell_triangles import CORNERS, EDGE_ENDS, cell_triangles
from services.mesher.extract.coarse_to_fine import Density, Grid, SurfaceCells, find_surface_cells

RESOLUTIONS = (8, 1024)
CLEARANCE = 0.01  # of a cell between a vertex and a grid point: vertices that coincide in print would tear the mesh


@dataclass(frozen=True)
class Surface:
    """A closed surface.

    Attributes:
        vertices: (n, 3) float64 in the field's frame; a hundredth of a cell beyond the cube where that cuts the body.
        faces: (m, 3) int32, counter-clockwise seen from outside, where the field is lower.
        evaluations: at how many points the field was asked for.
    """

    vertices: Points
    faces: Faces
    evaluations: int


def extract_surface(density: Density, level: float, resolution: int = 256, radius: float = 0.87) -> Surface:
    """Return the surface where `density` passes the level; without faces where it never does.

    Vertices lie where the field itself, linear between two grid points, meets the level. The field should be close to
    linear near its surface: give it without the exponential of a density, which makes terraces.

    Args:
        density: the field, about as steep as TripoSR's (some hundreds a unit); a flatter one is asked for everywhere.
        level: its value at the surface.
        resolution: 8 to 1024 grid points along each axis of the cube. More is finer; the cost grows with its square.
        radius: half the side of the cube, around the origin; TripoSR's unless told.
    Raises:
        InvalidOption: a resolution out of range.

    >>> def ball(points):
    ...     return (100 * (0.5 - np.linalg.norm(points, axis=1))).astype(np.float32)
    >>> surface = extract_surface(ball, level=0.0, resolution=128)
    >>> radius = np.linalg.norm(surface.vertices, axis=1)
    >>> f"{radius.min():.3f} to {radius.max():.3f}, {surface.evaluations / 128**3:.0%} of the points were asked for"
    '0.500 to 0.500, 20% of the points were asked for'
    """
    low, high = RESOLUTIONS
    if not low <= resolution <= high:
        raise InvalidOption(f"resolution is {resolution}; wanted {low} to {high}", field="resolution")
    grid = Grid(resolution, radius)
    found = find_surface_cells(density, level, grid)
    vertices, faces = _triangulate(found, grid, level)
    return Surface(vertices, faces, found.evaluations)


def _triangulate(found: SurfaceCells, grid: Grid, level: float) -> tuple[Points, Faces]:
    first, counts, triangles = cell_triangles()
    case = (found.values > level) @ (1 << np.arange(8))
    count = counts[case]
    cell = np.repeat(np.arange(len(case)), count)  # of each triangle
    nth = np.arange(len(cell)) - np.repeat(np.cumsum(count) - count, count)
    edge = triangles[first[case[cell]] + nth]  # (t, 3)

    start, end = EDGE_ENDS[edge, 0], EDGE_ENDS[edge, 1]
    point = found.cells[cell, None] + CORNERS[start]  # (t, 3, 3)
    keys = 3 * grid.keys(point) + edge // 4  # one number an edge of the grid: its lower end and its axis
    _, sample, faces = np.unique(keys.ravel(), return_index=True, return_inverse=True)
    a, b = (found.values[cell[:, None], corner].ravel()[sample].astype(np.float64) for corner in (start, end))
    share = np.clip((level - a) / (b - a), CLEARANCE, 1 - CLEARANCE)
    direction = (CORNERS[end] - CORNERS[start]).reshape(-1, 3)[sample]
    places = point.reshape(-1, 3)[sample] + share[:, None] * direction
    return grid.positions(places), np.asarray(faces.reshape(-1, 3), dtype=np.int32)
