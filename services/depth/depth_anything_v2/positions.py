"""DINOv2's position table for any grid of patches, by the official rule.

The rule scales by (n + 0.1) / 37 and not by n / 37 (a safeguard against rounding); a table resized by the target size,
as other ports do, changes the map by up to 15 % of its range off the square.

Source: `interpolate_pos_encoding` in `dinov2.py` of the official code at commit a561b84.
"""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import numpy.typing as npt

from services.common.arrays import Float
from services.depth.depth_anything_v2.config import GRID

_OFFSET = 0.1  # `interpolate_offset` of the official code
_A = -0.75  # the cubic's free parameter in torch (and OpenCV)
_TABLES = 8  # kept; one for 518 x 784 takes 3 MB in vits


class PositionTables:
    """The tables of the grids that were asked for last. Not thread-safe.

    Args:
        table: the checkpoint's.
    """

    def __init__(self, table: Float) -> None:
        self._table = table
        self._kept: OrderedDict[tuple[int, int], Float] = OrderedDict()

    def of(self, grid: tuple[int, int]) -> Float:
        """Return the table for a grid of (rows, columns); see `position_table`."""
        if grid not in self._kept:
            self._kept[grid] = position_table(self._table, *grid)
            if len(self._kept) > _TABLES:
                self._kept.popitem(last=False)
        self._kept.move_to_end(grid)
        return self._kept[grid]


def position_table(table: Float, rows: int, columns: int) -> Float:
    """Return the table for a grid of `rows` × `columns` patches.

    Args:
        table: (1, 1 + 37·37, c) float32: class token first, then the patches row by row.
        rows: of the grid wanted.
        columns: of the grid wanted.
    Returns:
        (1, 1 + rows·columns, c) float32; `table` itself for the grid of the training.
    """
    if rows == columns == GRID:
        return table
    channels = table.shape[-1]
    patches = table[0, 1:].astype(np.float64).reshape(GRID, GRID, channels)
    patches = np.einsum("ij,jkc->ikc", _cubic(rows), patches)
    patches = np.einsum("ij,rjc->ric", _cubic(columns), patches)
    resized = patches.reshape(1, rows * columns, channels).astype(np.float32)
    return np.concatenate([table[:, :1], resized], axis=1)


def _cubic(count: int) -> npt.NDArray[np.float64]:
    """(count, 37) weights: bicubic convolution (Keys, 1981) without antialiasing, border values repeated."""
    scale = GRID / (count + _OFFSET)
    at = (np.arange(count) + 0.5) * scale - 0.5
    base = np.floor(at).astype(np.intp)
    weights = np.zeros((count, GRID))
    for tap in range(-1, 3):
        distance = np.abs(at - (base + tap))
        column = np.clip(base + tap, 0, GRID - 1)
        np.add.at(weights, (np.arange(count), column), _kernel(distance))
    return weights


def _kernel(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    near = ((_A + 2) * x - (_A + 3)) * x * x + 1
    far = ((_A * x - 5 * _A) * x + 8 * _A) * x - 4 * _A
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))
