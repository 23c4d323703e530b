"""Overlapping tiles over a photo, and how much each counts where they overlap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_LEAST_WEIGHT = 1e-3  # at a tile's rim, so that weights never add up to nothing


@dataclass(frozen=True)
class Tile:
    """A rectangle of pixels, right and bottom not included."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns, to index an array by."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


def lay_tiles(width_px: int, height_px: int, count: int, share: float) -> list[Tile]:
    """Return `count` × `count` tiles of equal size from border to border.

    Args:
        width_px: of the photo.
        height_px: of the photo.
        count: tiles along each side, at least 2.
        share: of each side that a tile covers, above 1 / count; the rest overlaps.

    >>> [(tile.left, tile.right) for tile in lay_tiles(100, 80, 2, 0.6)[:2]]
    [(0, 60), (40, 100)]
    """
    columns, rows = _spans(width_px, count, share), _spans(height_px, count, share)
    return [Tile(left, top, right, bottom) for top, bottom in rows for left, right in columns]


def feather(tile: Tile, width_px: int, height_px: int, rim_share: float) -> npt.NDArray[np.float32]:
    """Return (h, w) weights of a tile in (0, 1]: 1 inside, falling towards the sides that are not the photo's border.

    Args:
        tile: where it lies.
        width_px: of the photo.
        height_px: of the photo.
        rim_share: of the tile's side over which the weight falls.
    """
    x = _fall(tile.right - tile.left, rim_share, tile.left > 0, tile.right < width_px)
    y = _fall(tile.bottom - tile.top, rim_share, tile.top > 0, tile.bottom < height_px)
    return np.asarray(y[:, None] * x[None, :], dtype=np.float32)


def _spans(side_px: int, count: int, share: float) -> list[tuple[int, int]]:
    length = min(side_px, max(1, round(side_px * share)))
    starts = [round((side_px - length) * i / (count - 1)) for i in range(count)]
    return [(start, start + length) for start in starts]


def _fall(length: int, rim_share: float, at_start: bool, at_end: bool) -> npt.NDArray[np.float32]:
    rim = max(1.0, rim_share * length)
    at = np.arange(length) + 0.5
    inside = np.ones(length)
    if at_start:
        inside = np.minimum(inside, at / rim)
    if at_end:
        inside = np.minimum(inside, (length - at) / rim)
    smooth = inside * inside * (3 - 2 * inside)  # no crease where the fall begins and ends
    return np.asarray(np.maximum(smooth, _LEAST_WEIGHT), dtype=np.float32)
