"""Smoothing that does not shrink."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from services.common.arrays import Faces, Points

TAUBIN = (0.5, -0.53)  # a smoothing and a swelling step; the pass band keeps what is wider than some ten edges


def smooth_taubin(vertices: Points, faces: Faces, rounds: int) -> Points:
    """Return the vertices after `rounds` of λ|μ smoothing: stair-steps go, volume and size stay.

    Source: Taubin 1995, "A signal processing approach to fair surface design".

    >>> import trimesh
    >>> ball = trimesh.creation.icosphere(3)
    >>> rough = ball.vertices * np.random.default_rng(0).uniform(0.98, 1.02, (len(ball.vertices), 1))
    >>> radius = np.linalg.norm(smooth_taubin(np.asarray(rough), np.asarray(ball.faces, np.int32), 10), axis=1)
    >>> f"{radius.mean():.2f}, uneven by {np.linalg.norm(rough, axis=1).std():.3f} before, {radius.std():.3f} after"
    '1.00, uneven by 0.011 before, 0.004 after'
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
