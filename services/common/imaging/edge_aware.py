"""Smoothing that stops at colour edges: a screened Poisson equation over the unsure pixels only.

    minimise  Σ_i d_i (x_i - v_i)² + Σ_ij w_ij (x_i - x_j)²,   w_ij = exp(-|Lab_i - Lab_j|² / 2σ²) + ε

over 4-neighbours; pixels outside the zone are fixed. Solved with conjugate gradients, diagonally preconditioned.
Source: Levin, Lischinski, Weiss, "Colorization using Optimization" (2004), eq. 1, with a data term.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, cg

from services.common.arrays import BoolMask, Float

EPSILON = 1e-3  # conductance across the hardest edge: keeps enclosed pixels tied to something
TOLERANCE = 1e-3  # relative residual; values are used to two digits


def smooth_along_edges(
    lab: npt.NDArray[np.uint8],
    values: Float,
    zone: BoolMask,
    data_weight: Float,
    *,
    sigma: float = 6.0,
    iterations: int = 40,
) -> Float:
    """Return `values`, smoothed inside `zone` along colour edges and untouched outside.

    Args:
        lab: (H, W, 3) uint8.
        values: (H, W) float32.
        zone: (H, W) bool, which pixels may change.
        data_weight: (H, W) float32 above 0, how strongly a pixel holds on to its value; neighbours pull with up to 1.
        sigma: Lab distance at which two neighbours hardly pull any more.
        iterations: upper limit of the solver.
    Returns:
        (H, W) float32.

    Two halves of one colour each: noise is smoothed within them, and nothing crosses the edge.

    >>> lab = np.zeros((1, 6, 3), dtype=np.uint8)
    >>> lab[:, 3:] = 200
    >>> values = np.array([[0.0, 0.2, 0.1, 0.9, 1.0, 0.8]], dtype=np.float32)
    >>> hold = np.full((1, 6), 0.01, dtype=np.float32)
    >>> smooth_along_edges(lab, values, np.ones((1, 6), dtype=bool), hold).astype(float).round(1).tolist()
    [[0.1, 0.1, 0.1, 0.9, 0.9, 0.9]]
    """
    smoothed = values.astype(np.float32, copy=True)
    count = int(np.count_nonzero(zone))
    if count == 0:
        return smoothed
    matrix, right, diagonal = _system(lab, values, zone, data_weight, sigma, count)
    preconditioner = LinearOperator((count, count), matvec=lambda x: x / diagonal, dtype=np.float64)
    start = values[zone].astype(np.float64)
    solution, _ = cg(matrix, right, x0=start, rtol=TOLERANCE, maxiter=iterations, M=preconditioner)
    smoothed[zone] = np.clip(solution, values.min(), values.max())  # the exact solution obeys the maximum principle
    return smoothed


def _system(
    lab: npt.NDArray[np.uint8], values: Float, zone: BoolMask, data_weight: Float, sigma: float, count: int
) -> tuple[sparse.csr_matrix, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    height, width = zone.shape
    index = np.full(zone.shape, -1, dtype=np.int32)
    index[zone] = np.arange(count, dtype=np.int32)
    colour = lab.astype(np.float32)
    diagonal = data_weight[zone].astype(np.float64)
    right = diagonal * values[zone]
    rows: list[npt.NDArray[np.int32]] = [np.arange(count, dtype=np.int32)]
    columns: list[npt.NDArray[np.int32]] = [np.arange(count, dtype=np.int32)]
    entries: list[npt.NDArray[np.float64]] = []
    for dy, dx in ((0, 1), (1, 0)):
        here, there = np.s_[: height - dy, : width - dx], np.s_[dy:, dx:]
        pair = zone[here] | zone[there]
        a, b = index[here][pair], index[there][pair]
        difference = colour[here][pair] - colour[there][pair]
        weight = np.exp(-(difference * difference).sum(axis=1) / (2 * sigma * sigma)) + EPSILON
        both = (a >= 0) & (b >= 0)
        rows += [a[both], b[both]]
        columns += [b[both], a[both]]
        entries += [-weight[both], -weight[both]]
        for own, other, fixed in ((a, b, values[there][pair]), (b, a, values[here][pair])):
            inside = own >= 0
            diagonal += np.bincount(own[inside], weight[inside], minlength=count)
            at_rim = inside & (other < 0)
            right += np.bincount(own[at_rim], (weight * fixed)[at_rim], minlength=count)
    data = np.concatenate([diagonal, *entries])
    matrix = sparse.csr_matrix((data, (np.concatenate(rows), np.concatenate(columns))), shape=(count, count))
    return matrix, right, diagonal
