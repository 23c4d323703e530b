"""The best similarity that lays one point cloud onto another: a search over rotations, then ICP with scale.

Forgives a mesher for another frame or another idea of the camera's height; a wrong shape stays wrong.

By hand because the nearest points are taken both ways: `trimesh.registration.icp` takes them one way, so that its scale
shrinks the guess into the truth (to 0.75 at worst). From the same starts it ends at a chamfer of 0.100, this at 0.090
(32 meshes of the fixed set).
"""

from __future__ import annotations

import itertools

import numpy as np
from scipy.spatial import cKDTree

from evaluation.metrics.mesh_surface import nearest_distances
from services.common.arrays import Points

FEW = 700  # points of the coarse search
KEPT = 6  # starts that are refined
STEP_SCALE = (0.8, 1.25)  # of one ICP round
TOTAL_SCALE = (0.5, 2.0)


def align(truth: Points, guess: Points) -> tuple[Points, Points]:
    """Return `linear` (3, 3) with its scale and `shift` (3,), so that `guess @ linear.T + shift` lies on `truth`."""
    few_t, few_g = truth[:: max(1, len(truth) // FEW)], guess[:: max(1, len(guess) // FEW)]

    def badness(turn: Points) -> float:
        return _distance(few_g @ turn.T, few_t)

    best = sorted(_starts(), key=badness)[:KEPT]
    refined = [(*_icp(few_g @ turn.T, few_t, 25), turn) for turn in best]
    linear, shift, _, turn = min(refined, key=lambda found: found[2])
    linear = linear @ turn
    finer, move, _ = _icp(guess[::3] @ linear.T + shift, truth[::3], 10)
    return finer @ linear, finer @ shift + move


def _starts() -> list[Points]:
    """Yaw every 30 degrees with pitch from -40 to 40 in 20s, and the 24 rotations of the axes."""
    found: list[Points] = []
    for yaw, pitch in itertools.product(np.radians(np.arange(0, 360, 30)), np.radians([-40, -20, 0, 20, 40])):
        cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
        about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
        found.append(about_x @ np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]]))
    for order, signs in itertools.product(itertools.permutations(range(3)), itertools.product((1, -1), repeat=3)):
        matrix = np.zeros((3, 3))
        matrix[range(3), order] = signs
        if np.linalg.det(matrix) > 0:
            found.append(matrix)
    return found


def _icp(source: Points, target: Points, rounds: int) -> tuple[Points, Points, float]:
    """Refine a placement both ways; Umeyama's (1991) least squares in each round. The last value is the distance."""
    linear, shift = np.eye(3), np.zeros(3)
    goal = cKDTree(target)
    for _ in range(rounds):
        placed = source @ linear.T + shift
        near = target[goal.query(placed)[1]]
        own = cKDTree(placed).query(target)[1]
        a, b = np.concatenate([placed, placed[own]]), np.concatenate([near, target])
        mean_a, mean_b = a.mean(0), b.mean(0)
        u, d, vt = np.linalg.svd((b - mean_b).T @ (a - mean_a))
        flip = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
        turn = u @ np.diag(flip) @ vt
        scale = float(np.clip((d * flip).sum() / max(((a - mean_a) ** 2).sum(), 1e-12), *STEP_SCALE))
        linear, shift = scale * turn @ linear, scale * turn @ shift + mean_b - scale * turn @ mean_a
    size = float(np.cbrt(np.linalg.det(linear)))
    linear = linear / size * float(np.clip(size, *TOTAL_SCALE))
    return linear, shift, _distance(source @ linear.T + shift, target)


def _distance(a: Points, b: Points) -> float:
    return float(nearest_distances(a, b).mean() + nearest_distances(b, a).mean()) / 2
