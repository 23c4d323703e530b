"""The grid cells that the surface passes through, without looking at the others.

A coarse grid comes first, no wider than a texel of the field. Where corners of a coarse cell disagree or one comes near
the level, the cell is halved, again and again down to the grid; at the end the surface is followed from cell to cell,
so that none that hangs together with a found one is missing. The work grows with the surface, not with the volume.

Grid: `resolution` points an axis from −radius to radius, and one more beyond each end that counts as outside, so that
what reaches the faces of the cube is closed there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from services.common.arrays import Float, Points
from services.mesher.extract.cell_triangles import CORNERS

Density = Callable[[Points], Float]
"""(n, 3) points → (n,) values, larger is inside. Raw: without the exponential that makes a density of it."""

Cells = npt.NDArray[np.int64]
"""(m, 3) indices of a cell's lower corner, in points of the padded grid."""

Keys = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

COARSE_SPACING = 0.035  # greatest width of a coarse cell: 1.3 texels of TripoSR's planes. Less finds smaller parts
# A coarse cell is looked into if one of its corners is within this of the level, even where all lie on one side. A
# quarter for cells of half the size: what a smooth field hides between two points it agrees on goes with the square of
# their distance. Measured: with this spacing and margin no cell of the dense grid is missed.
MARGIN = 3.0
FAR_BELOW = np.float32(1e6)  # what a point beyond the cube, or one that is not a number, lies below the level

_RING = np.array(list(product((-1, 0, 1), repeat=3)))
_BLOCK = np.array(list(product((0, 1, 2), repeat=3)))  # points of a cell and its eight halves
_CHILD_CORNERS = (CORNERS[:, None] + CORNERS) @ np.array([9, 3, 1])  # (8, 8) which of them are a half's corners
_SIDES = [(axis, side) for axis in range(3) for side in (0, 1)]


@dataclass(frozen=True)
class SurfaceCells:
    """The cells with corners on both sides of the level.

    Attributes:
        cells: (m, 3) int64.
        values: (m, 8) float32 at the corners, in the order of `CORNERS`.
        evaluations: at how many points the density was asked for.
    """

    cells: Cells
    values: Float
    evaluations: int


@dataclass(frozen=True)
class Grid:
    """Points of the padded grid, from 0 to resolution + 1 an axis."""

    resolution: int
    radius: float

    @property
    def side(self) -> int:
        """Points an axis, padding included."""
        return self.resolution + 2

    def positions(self, index: npt.NDArray[np.floating] | Cells) -> Points:
        """Return where (fractions of) grid points lie."""
        unit = 2.0 * (np.asarray(index, dtype=np.float64) - 1) / (self.resolution - 1) - 1
        return np.asarray(self.radius * unit, dtype=np.float64)

    def keys(self, cells: Cells) -> Keys:
        """Return one number a point or cell, in the order of x, then y, then z."""
        return np.asarray((cells[..., 0] * self.side + cells[..., 1]) * self.side + cells[..., 2], dtype=np.int64)

    def indices(self, keys: Keys) -> Cells:
        """Return what `keys` was made of."""
        return np.stack(np.unravel_index(keys, (self.side,) * 3), axis=-1).astype(np.int64)

    def is_padding(self, index: Cells) -> Booleans:
        """Return which points lie beyond the cube."""
        return np.asarray(((index == 0) | (index == self.side - 1)).any(axis=-1), dtype=np.bool_)


def find_surface_cells(density: Density, level: float, grid: Grid) -> SurfaceCells:
    """Return the grid cells that the surface passes through.

    Args:
        density: the field.
        level: of the surface.
        grid: the finest one.
    """
    samples = _Samples(density, level, grid)
    step = coarse = _coarse_step(grid)
    cells, values, padding = _halve(samples, grid, _all_cells(grid, 2 * step), 2 * step)
    while step > 1:
        mixed = _is_mixed(values, padding, level)
        near = (np.abs(values - np.float32(level)) < MARGIN * (step / coarse) ** 2).any(axis=1)
        chosen = cells[mixed | near]
        if step == coarse:
            chosen = _with_ring(grid, chosen, cells[mixed], step)
        cells, values, padding = _halve(samples, grid, chosen, step)
        step //= 2
    return _follow(samples, grid, cells, values, padding)


def _coarse_step(grid: Grid) -> int:
    """Return the width of a coarse cell in grid cells, a power of two."""
    fine = 2 * grid.radius / (grid.resolution - 1)
    return 1 << max(0, int(np.floor(np.log2(max(COARSE_SPACING / fine, 1.0)) + 1e-9)))


def _all_cells(grid: Grid, step: int) -> Cells:
    count = -(-(grid.side - 1) // step)
    return step * np.stack(np.unravel_index(np.arange(count**3), (count,) * 3), axis=-1).astype(np.int64)


def _with_ring(grid: Grid, cells: Cells, mixed: Cells, step: int) -> Cells:
    """Return the cells and the 26 neighbours of the mixed ones, each once."""
    ring = (mixed[:, None] + step * _RING).reshape(-1, 3)
    ring = ring[((ring >= 0) & (ring < grid.side - 1)).all(axis=1)]
    return grid.indices(np.unique(grid.keys(np.concatenate([cells, ring]))))


def _halve(samples: _Samples, grid: Grid, cells: Cells, step: int) -> tuple[Cells, Float, Booleans]:
    """Return the eight cells of half the size in each, without those beyond the grid, and what `at` says of them."""
    half = step // 2
    values, padding = samples.at(cells, half * _BLOCK)  # (m, 27)
    children = (cells[:, None] + half * CORNERS).reshape(-1, 3)
    kept = (children < grid.side - 1).all(axis=1)
    return (
        children[kept],
        values[:, _CHILD_CORNERS].reshape(-1, 8)[kept],
        padding[:, _CHILD_CORNERS].reshape(-1, 8)[kept],
    )


def _is_mixed(values: Float, padding: Booleans, level: float) -> Booleans:
    """Return which cells have corners on both sides of the level."""
    inside = (values > level) & ~padding
    return np.asarray(inside.any(axis=1) & ~inside.all(axis=1), dtype=np.bool_)


def _follow(samples: _Samples, grid: Grid, cells: Cells, values: Float, padding: Booleans) -> SurfaceCells:
    """Return the cells with the surface among the given ones, and all that it reaches from there."""
    seen = np.sort(grid.keys(cells))
    found: list[tuple[Cells, Float]] = [(np.zeros((0, 3), np.int64), np.zeros((0, 8), np.float32))]
    while len(cells):
        mixed = _is_mixed(values, padding, samples.level)
        cells, values = cells[mixed], np.where(padding[mixed], np.float32(samples.level) - FAR_BELOW, values[mixed])
        found.append((cells, values))
        reached = np.unique(grid.keys(_neighbours(cells, values > samples.level)))
        new = reached[~_contains(seen, reached)]
        seen = np.sort(np.concatenate([seen, new]))
        cells = grid.indices(new)
        values, padding = samples.at(cells, CORNERS)
    return SurfaceCells(
        np.concatenate([cells for cells, _ in found]), np.concatenate([v for _, v in found]), samples.evaluations
    )


def _neighbours(cells: Cells, inside: Booleans) -> Cells:
    """Return the cells behind those faces that the surface passes through."""
    reached = []
    for axis, side in _SIDES:
        corners = inside[:, CORNERS[:, axis] == side]
        passed = cells[corners.any(axis=1) & ~corners.all(axis=1)]
        direction = np.zeros(3, dtype=np.int64)
        direction[axis] = 2 * side - 1
        reached.append(passed + direction)
    return np.concatenate(reached)


class _Samples:
    """The values at grid points, each asked for once."""

    def __init__(self, density: Density, level: float, grid: Grid) -> None:
        self.level = level
        self.evaluations = 0
        self._density = density
        self._grid = grid
        self._keys: Keys = np.zeros(0, dtype=np.int64)
        self._values: Float = np.zeros(0, dtype=np.float32)

    def at(self, cells: Cells, offsets: Cells) -> tuple[Float, Booleans]:
        """Return (m, k) values at the points `offsets` (k, 3) from each cell, and which lie beyond the cube.

        A point beyond the cube has the value of the nearest point on its face.
        """
        last = self._grid.side - 1
        points = np.minimum(cells[:, None] + offsets, last)
        padding = self._grid.is_padding(points)
        keys = self._grid.keys(np.clip(points, 1, last - 1))
        wanted, inverse = np.unique(keys.ravel(), return_inverse=True)
        self._ask(wanted[~_contains(self._keys, wanted)])
        values = self._values[np.searchsorted(self._keys, wanted)]
        return values[inverse.reshape(keys.shape)], padding

    def _ask(self, keys: Keys) -> None:
        if len(keys) == 0:
            return
        values = np.asarray(self._density(self._grid.positions(self._grid.indices(keys))), dtype=np.float32)
        self.evaluations += len(keys)
        values = np.where(np.isnan(values), np.float32(self.level) - FAR_BELOW, values)
        every, both = np.concatenate([self._keys, keys]), np.concatenate([self._values, values])
        order = np.argsort(every, kind="stable")
        self._keys, self._values = every[order], both[order]


def _contains(keys: Keys, wanted: Keys) -> Booleans:
    """Return which of `wanted` stand among the sorted `keys`."""
    if len(keys) == 0:
        return np.zeros(len(wanted), dtype=np.bool_)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.asarray(keys[place] == wanted, dtype=np.bool_)
