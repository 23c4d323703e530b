from __future__ import annotations

import numpy as np
import pytest

from services.depth.tiled.tiles import feather, lay_tiles


@pytest.mark.parametrize(("width", "height", "count"), [(100, 60, 2), (7, 1000, 3), (1, 1, 2)])
def test_tiles_cover_every_pixel_and_stay_inside(width: int, height: int, count: int) -> None:
    covered = np.zeros((height, width), dtype=int)
    for tile in lay_tiles(width, height, count, 0.6):
        assert 0 <= tile.left < tile.right <= width
        assert 0 <= tile.top < tile.bottom <= height
        covered[tile.window] += 1
    assert covered.min() >= 1


def test_tiles_are_of_equal_size() -> None:
    sizes = {(tile.right - tile.left, tile.bottom - tile.top) for tile in lay_tiles(101, 67, 3, 0.45)}
    assert len(sizes) == 1


def test_weight_falls_towards_neighbours_and_not_towards_the_photos_border() -> None:
    tile = lay_tiles(100, 100, 2, 0.6)[0]  # top left
    weight = feather(tile, 100, 100, 0.3)
    assert weight.shape == (60, 60)
    assert weight[0, 0] == 1
    assert 0 < weight[0, -1] < 0.05
    assert 0 < weight[-1, 0] < 0.05
    assert (np.diff(weight[0]) <= 0).all()
