"""Fewer faces, closed all the same: quadric simplification, in several ways until one does not tear the surface."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from services.common.arrays import Faces, Points
from services.mesher.geometry.mesh import Mesh, is_watertight, merge_by_position, normalise

# Share of the faces kept a stage (0: straight to the target) and aggressiveness of the simplification. Any may tear a
# closed mesh, each another one; gentler ones than 5 stop short of the target.
ATTEMPTS = ((0.0, 7), (0.0, 5), (0.8, 5), (0.6, 7))


def simplify(vertices: Points, faces: Faces, max_faces: int) -> tuple[Points, Faces]:
    """Return a closed mesh of at most `max_faces` faces, or the given one if it will not stay closed.

    Source: Garland and Heckbert 1997 (quadric error), as fast-simplification has it.

    >>> import trimesh
    >>> ball = trimesh.creation.icosphere(4)
    >>> vertices, faces = simplify(np.asarray(ball.vertices), np.asarray(ball.faces, np.int32), 1000)
    >>> len(ball.faces), len(faces) <= 1000, is_watertight(faces)
    (5120, True, True)
    """
    if len(faces) <= max_faces:
        return vertices, faces
    for share, aggressiveness in ATTEMPTS:
        simplified = _simplify_in_stages(vertices, faces, max_faces, share, aggressiveness)
        if simplified is not None:
            return simplified
    return vertices, faces


def simplify_mesh(mesh: Mesh, max_faces: int, purpose: str = "") -> Mesh:
    """Return a mesh of at most `max_faces` faces with a note on it, or the given one if it will not stay closed.

    Args:
        mesh: closed, without a texture; vertices of the result have the colours of the nearest ones here.
        max_faces: the most that may be left.
        purpose: end of the note: what it was done for.
    """
    vertices, faces = simplify(mesh.vertices, mesh.faces, max_faces)
    if len(faces) == len(mesh.faces):
        return mesh
    note = f"simplified from {len(mesh.faces)} to {len(faces)} faces{purpose}"
    colours = None if mesh.colours is None else mesh.colours[cKDTree(mesh.vertices).query(vertices)[1]]
    return replace(mesh, vertices=vertices, faces=faces, colours=colours, notes=(*mesh.notes, note))


def _is_closed_as_written(vertices: Points, faces: Faces) -> bool:
    """Return whether the mesh is still closed once it is scaled to unit size and written with six decimals."""
    unit = normalise(Mesh(vertices, faces)).vertices
    return is_watertight(merge_by_position(unit, faces)[1])


def _simplify_in_stages(
    vertices: Points, faces: Faces, max_faces: int, share: float, aggressiveness: int
) -> tuple[Points, Faces] | None:
    """Return the mesh with at most `max_faces` faces, each stage closed, or None where one tears or stops short."""
    import fast_simplification

    while len(faces) > max_faces:
        target = max(int(share * len(faces)), int(0.98 * max_faces))
        points, kept = fast_simplification.simplify(
            vertices.astype(np.float32), faces, target_count=target, agg=aggressiveness
        )
        fewer = _without_folds(np.asarray(kept, dtype=np.int32))
        if len(fewer) > 0.98 * len(faces) or not _is_closed_as_written(points, fewer):
            return None
        vertices, faces = np.asarray(points, dtype=np.float64), fewer
    return vertices, faces


def _without_folds(faces: Faces) -> Faces:
    """Return the faces without pairs that lie back to back on the same corners: what is left of a collapsed tube."""
    _, inverse, count = np.unique(np.sort(faces, axis=1), axis=0, return_inverse=True, return_counts=True)
    return np.ascontiguousarray(faces[count[inverse.reshape(-1)] != 2])
