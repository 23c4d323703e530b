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

FAR_BELOW = np.float32(1e6)  # what a point beyond the cube, or one that is not a number, lies below the level

_RING = np.array(list(product((-1, 0, 1), repeat=3)))
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

    def is_padding(self, index: Cells) -> npt.NDArray[np.bool_]:
        """Return which points lie beyond the cube."""
        return np.asarray(((index == 0) | (index == self.side - 1)).any(axis=-1), dtype=np.bool_)


def find_surface_cells(density: Density, level: float, grid: Grid, spacing: float, margin: float) -> SurfaceCells:
    """Return the grid cells that the surface passes through.

    Args:
        density: the field.
        level: of the surface.
        grid: the finest one.
        spacing: greatest width of a coarse cell, in the unit of the radius.
        margin: a coarse cell is looked into if one of its corners is within this of the level, even where all lie on
            one side; half as much for cells of half the size.
    """
    samples = _Samples(density, level, grid)
    step = _coarse_step(grid, spacing)
    count = -(-(grid.side - 1) // step)
    cells = step * np.stack(np.unravel_index(np.arange(count**3), (count,) * 3), axis=-1).astype(np.int64)
    coarse = step
    while step > 1:
        mixed, near = _judge(samples, cells, step, margin * step / coarse)
        wanted = [cells[mixed | near]]
        if step == coarse:
            wanted.append((cells[mixed][:, None] + step * _RING).reshape(-1, 3))
        cells = _halve(grid, np.concatenate(wanted), step)
        step //= 2
    return _follow(samples, grid, cells)


def _coarse_step(grid: Grid, spacing: float) -> int:
    """Return the width of a coarse cell in grid cells, a power of two."""
    fine = 2 * grid.radius / (grid.resolution - 1)
    return 1 << max(0, int(np.floor(np.log2(max(spacing / fine, 1.0)) + 1e-9)))


def _judge(
    samples: _Samples, cells: Cells, step: int, margin: float
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return which cells have corners on both sides, and which have one within `margin` of the level."""
    values, padding = samples.at_corners(cells, step)
    inside = (values > samples.level) & ~padding
    mixed = inside.any(axis=1) & ~inside.all(axis=1)
    near = (np.abs(values - np.float32(samples.level)) < margin).any(axis=1)
    return np.asarray(mixed, np.bool_), np.asarray(near, np.bool_)


def _halve(grid: Grid, cells: Cells, step: int) -> Cells:
    """Return the eight cells of half the size in each, each once, without those beyond the grid."""
    children = (cells[:, None] + step // 2 * CORNERS).reshape(-1, 3)
    children = children[((children >= 0) & (children < grid.side - 1)).all(axis=1)]
    return grid.indices(np.unique(grid.keys(children)))


def _follow(samples: _Samples, grid: Grid, cells: Cells) -> SurfaceCells:
    """Return the cells with the surface among the given ones, and all that it reaches from there."""
    seen = np.sort(grid.keys(cells))
    found: list[tuple[Cells, Float]] = []
    while len(cells):
        values, padding = samples.at_corners(cells, 1)
        values = np.where(padding, np.float32(samples.level) - FAR_BELOW, values)
        inside = values > samples.level
        mixed = inside.any(axis=1) & ~inside.all(axis=1)
        found.append((cells[mixed], values[mixed]))
        reached = np.unique(grid.keys(_neighbours(cells[mixed], inside[mixed])))
        new = reached[~_contains(seen, reached)]
        seen = np.sort(np.concatenate([seen, new]))
        cells = grid.indices(new)
    return SurfaceCells(
        np.concatenate([cells for cells, _ in found]), np.concatenate([v for _, v in found]), samples.evaluations
    )


def _neighbours(cells: Cells, inside: npt.NDArray[np.bool_]) -> Cells:
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

    def at_corners(self, cells: Cells, step: int) -> tuple[Float, npt.NDArray[np.bool_]]:
        """Return (m, 8) values at the corners of cells, and which of these lie beyond the cube.

        A point beyond the cube has the value of the nearest point on its face.
        """
        last = self._grid.side - 1
        corners = np.minimum(cells[:, None] + step * CORNERS, last)
        padding = self._grid.is_padding(corners)
        keys = self._grid.keys(np.clip(corners, 1, last - 1))
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


def _contains(keys: Keys, wanted: Keys) -> npt.NDArray[np.bool_]:
    """Return which of `wanted` stand among the sorted `keys`."""
    if len(keys) == 0:
        return np.zeros(len(wanted), dtype=np.bool_)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.asarray(keys[place] == wanted, dtype=np.bool_)
