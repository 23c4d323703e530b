"""Membranes over a silhouette: Poisson's equation, harmonic filling, and edge-preserving smoothing.

All are sparse symmetric systems over the cells of a mask with the five-point Laplacian; a few thousand unknowns.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import linalg

from services.common.arrays import BoolMask, Float

ROUNDS = 2  # of reweighting: steps show after the first

Vector = npt.NDArray[np.float64]


class Membrane:
    """A membrane over `mask`, held at the cells just outside it.

    Args:
        mask: (h, w) bool; its outermost row and column on each side must be False.
    """

    def __init__(self, mask: BoolMask) -> None:
        self.mask = mask
        index = np.full(mask.shape, -1, dtype=np.int64)
        index[mask] = np.arange(np.count_nonzero(mask))
        rows, columns = [], []
        for axis in (0, 1):
            for step in (1, -1):
                neighbour = np.roll(index, step, axis=axis)[mask]
                inside = neighbour >= 0
                rows.append(np.flatnonzero(inside))
                columns.append(neighbour[inside])
        row, column = np.concatenate(rows), np.concatenate(columns)
        count = int(np.count_nonzero(mask))
        adjacency = sparse.coo_matrix((np.ones(len(row)), (row, column)), shape=(count, count))
        self._solver = _factorise(sparse.csc_matrix(4.0 * sparse.identity(count) - adjacency))

    def poisson(self, load: float) -> Float:
        """Return (h, w) float32 φ with ∇²φ = -load inside and φ = 0 outside; lengths in cells.

        >>> cell = np.zeros((3, 3), bool)
        >>> cell[1, 1] = True
        >>> Membrane(cell).poisson(4.0).tolist()
        [[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
        """
        found = np.zeros(self.mask.shape, dtype=np.float32)
        found[self.mask] = self._solver.solve(np.full(np.count_nonzero(self.mask), load))
        return found

    def harmonic(self, outside: Float) -> Float:
        """Return `outside` with its values in the mask replaced by the harmonic function that continues them."""
        held = np.where(self.mask, 0.0, outside)
        load = sum(np.roll(held, step, axis=axis) for axis in (0, 1) for step in (1, -1))
        found = outside.copy()
        found[self.mask] = self._solver.solve(np.asarray(load, dtype=np.float64)[self.mask])
        return found


def smooth_edge_preserving(values: Float, weight: Float, mask: BoolMask, strength: float, edge: float) -> Float:
    """Return `values` smoothed within the mask, steps kept, cells of low weight filled from their neighbours.

    Minimises Σ w (x - values)² + strength Σ a (Δx)² over neighbouring cells, a = 1 / (1 + (Δx / edge)²) taken from
    the round before: small differences are noise and are evened out, large ones are edges and stay. The rim is free.

    Args:
        values: (h, w) float32; read in the mask only.
        mask: (h, w) bool, where there is a membrane.
        weight: (h, w) float32 above 0: how far a value is to be believed.
        strength: cells²; the square of the reach of the smoothing.
        edge: the difference between neighbours, in the unit of `values`, that counts as an edge.
    Source: Farbman et al. 2008 (weighted least squares), with the weights of Geman and McClure, reweighted.
    """
    index = np.full(mask.shape, -1, dtype=np.int64)
    index[mask] = np.arange(np.count_nonzero(mask))
    pairs = [
        (index[:, :-1], index[:, 1:]),
        (index[:-1], index[1:]),
    ]
    joined = [(a[(a >= 0) & (b >= 0)], b[(a >= 0) & (b >= 0)]) for a, b in pairs]
    first = np.concatenate([a for a, _ in joined])
    second = np.concatenate([b for _, b in joined])
    data = values[mask].astype(np.float64)
    trust = weight[mask].astype(np.float64)
    x: Vector = data
    link = np.ones(len(first))
    for _ in range(ROUNDS):
        x = _solve_weighted(data, trust, first, second, strength * link)
        link = 1.0 / (1.0 + ((x[first] - x[second]) / edge) ** 2)
    smoothed = values.copy()
    smoothed[mask] = x
    return smoothed


def _solve_weighted(
    data: Vector, trust: Vector, first: npt.NDArray[np.int64], second: npt.NDArray[np.int64], link: Vector
) -> Vector:
    count = len(data)
    diagonal = trust + np.bincount(first, link, count) + np.bincount(second, link, count)
    entries = np.concatenate([diagonal, -link, -link])
    every = np.arange(count)
    matrix = sparse.coo_matrix(
        (entries, (np.concatenate([every, first, second]), np.concatenate([every, second, first]))), (count, count)
    )
    return np.asarray(_factorise(sparse.csc_matrix(matrix)).solve(trust * data), dtype=np.float64)


def _factorise(matrix: sparse.csc_matrix) -> linalg.SuperLU:
    return linalg.splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
