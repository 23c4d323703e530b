"""Smoothing that does not shrink, and thinning out to a face budget that stays closed."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from services.common.arrays import Faces, Points
from services.mesher.geometry.mesh import Mesh, is_watertight, merge_by_position, normalise

TAUBIN = (0.5, -0.53)  # a smoothing and a swelling step; the pass band keeps what is wider than some ten edges
# Share of the faces kept a stage (0: straight to the target) and aggressiveness of the simplification. Any may tear a
# closed mesh, each another one; gentler ones than 5 stop short of the target.
WAYS = ((0.0, 7), (0.0, 5), (0.8, 5), (0.6, 7))


def smooth_taubin(vertices: Points, faces: Faces, rounds: int) -> Points:
    """Return the vertices after `rounds` of λ|μ smoothing: stair-steps go, volume and size stay.

    Source: Taubin 1995, "A signal processing approach to fair surface design".
    """
    count = len(vertices)
    row = faces.ravel()
    column = np.roll(faces, -1, axis=1).ravel()
    links = sparse.coo_matrix((np.ones(2 * len(row)), (np.r_[row, column], np.r_[column, row])), (count, count)).tocsr()
    links.data[:] = 1.0
    degree = np.maximum(np.asarray(links.sum(axis=1)).ravel(), 1.0)
    mean = sparse.diags(1.0 / degree) @ links
    points = vertices.copy()
    for _ in range(rounds):
        for factor in TAUBIN:
            points += factor * (mean @ points - points)
    return points


def simplify(vertices: Points, faces: Faces, max_faces: int) -> tuple[Points, Faces]:
    """Return a closed mesh of at most `max_faces` faces, or the given one if it will not stay closed.

    Source: Garland and Heckbert 1997 (quadric error), as fast-simplification has it.
    """
    if len(faces) <= max_faces:
        return vertices, faces
    for share, aggressiveness in WAYS:
        thinned = _thin_in_stages(vertices, faces, max_faces, share, aggressiveness)
        if thinned is not None:
            return thinned
    return vertices, faces


def is_closed_in_print(vertices: Points, faces: Faces) -> bool:
    """Return whether the mesh is still closed once it is scaled to unit size and written with six decimals."""
    unit = normalise(Mesh(vertices, faces)).vertices
    return is_watertight(merge_by_position(unit, faces)[1])


def _thin_in_stages(
    vertices: Points, faces: Faces, max_faces: int, share: float, aggressiveness: int
) -> tuple[Points, Faces] | None:
    """Return the mesh with at most `max_faces` faces, each stage closed, or None where one tears or stops short."""
    import fast_simplification

    while len(faces) > max_faces:
        target = max(int(share * len(faces)), int(0.98 * max_faces))
        points, kept = fast_simplification.simplify(
            vertices.astype(np.float32), faces, target_count=target, agg=aggressiveness
        )
        thinner = _without_folds(np.asarray(kept, dtype=np.int32))
        if len(thinner) > 0.98 * len(faces) or not is_closed_in_print(points, thinner):
            return None
        vertices, faces = np.asarray(points, dtype=np.float64), thinner
    return vertices, faces


def _without_folds(faces: Faces) -> Faces:
    """Return the faces without pairs that lie back to back on the same corners: what is left of a collapsed tube."""
    _, inverse, count = np.unique(np.sort(faces, axis=1), axis=0, return_inverse=True, return_counts=True)
    return np.ascontiguousarray(faces[count[inverse.reshape(-1)] != 2])
