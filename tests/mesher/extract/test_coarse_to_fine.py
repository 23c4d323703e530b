from __future__ import annotations

import numpy as np
import pytest

from services.mesher.extract import coarse_to_fine
from services.mesher.extract.cell_triangles import CORNERS
from services.mesher.extract.coarse_to_fine import Grid, find_surface_cells

pytestmark = pytest.mark.slow


def _dense_cells(field, level: float, grid: Grid) -> np.ndarray:
    """Lower corners of the cells with corners on both sides, from all grid points."""
    index = np.stack(np.meshgrid(*[np.arange(grid.side)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    inside = (field(grid.positions(index)) > level) & ~grid.is_padding(index)
    inside = inside.reshape((grid.side,) * 3)
    n = grid.side - 1
    count = sum(inside[x : x + n, y : y + n, z : z + n].astype(int) for x, y, z in CORNERS)
    return np.argwhere((count > 0) & (count < 8))


def test_no_surface_cell_of_the_dense_grid_is_missed(shape) -> None:
    grid = Grid(128, 0.87)
    found = find_surface_cells(shape, 0.0, grid)
    np.testing.assert_array_equal(np.unique(found.cells, axis=0), _dense_cells(shape, 0.0, grid))
    assert len(np.unique(found.cells, axis=0)) == len(found.cells)


def test_values_at_corners_are_those_of_the_field(ring_and_bead) -> None:
    grid = Grid(100, 0.87)
    found = find_surface_cells(ring_and_bead, 0.0, grid)
    corners = found.cells[:, None] + CORNERS
    wanted = ring_and_bead(grid.positions(corners.reshape(-1, 3))).reshape(found.values.shape)
    np.testing.assert_array_equal(found.values, wanted)


def test_a_tenth_of_the_dense_points_is_enough_at_256(shape) -> None:
    found = find_surface_cells(shape, 0.0, Grid(256, 0.87))
    assert found.evaluations < 256**3 / 10


def test_each_point_is_asked_for_once_and_within_the_cube(ring_and_bead) -> None:
    asked = []

    def field(p):
        asked.append(p)
        return ring_and_bead(p)

    found = find_surface_cells(field, 0.0, Grid(96, 0.87))
    points = np.concatenate(asked)
    assert len(points) == found.evaluations == len(np.unique(np.round(points, 9), axis=0))
    assert np.abs(points).max() <= 0.87 + 1e-12


def test_work_grows_with_the_surface_and_not_with_the_volume(ring_and_bead) -> None:
    small, large = (find_surface_cells(ring_and_bead, 0.0, Grid(n, 0.87)).evaluations for n in (256, 512))
    assert large < 5 * small


def _step(distance):
    """A field that gives no warning beside its surface."""
    return lambda p: np.where(distance(p) < 0, 50.0, -50.0).astype(np.float32)


def test_surface_is_followed_where_the_coarse_grid_saw_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coarse_to_fine, "COARSE_SPACING", 0.3)
    monkeypatch.setattr(coarse_to_fine, "MARGIN", 0.0)
    needle = _step(lambda p: np.hypot(p[:, 1] - 0.1, p[:, 2] - 0.1) - np.where(p[:, 0] < -0.5, 0.2, 0.02))
    grid = Grid(96, 0.87)
    found = find_surface_cells(needle, 0.0, grid)
    np.testing.assert_array_equal(np.unique(found.cells, axis=0), _dense_cells(needle, 0.0, grid))


def test_a_speck_between_coarse_points_beside_a_found_part_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coarse_to_fine, "COARSE_SPACING", 0.04)
    monkeypatch.setattr(coarse_to_fine, "MARGIN", 0.0)
    grid = Grid(96, 0.87)
    speck = grid.positions(np.array([71, 49, 49]))  # an odd point: coarse cells are two wide here

    def both(p):
        return np.minimum(np.linalg.norm(p, axis=1) - 0.37, np.linalg.norm(p - speck, axis=1) - 0.01)

    found = find_surface_cells(_step(both), 0.0, grid)
    np.testing.assert_array_equal(np.unique(found.cells, axis=0), _dense_cells(_step(both), 0.0, grid))


@pytest.mark.parametrize("value", [-1.0, np.nan])
def test_a_field_that_never_passes_the_level_has_no_cells(value) -> None:
    found = find_surface_cells(lambda p: np.full(len(p), value, np.float32), 0.0, Grid(64, 0.87))
    assert len(found.cells) == 0
    assert found.values.shape == (0, 8)
