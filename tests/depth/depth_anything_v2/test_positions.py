from __future__ import annotations

import numpy as np
import pytest

from services.depth.depth_anything_v2.config import GRID
from services.depth.depth_anything_v2.positions import position_table


def _table(patches: np.ndarray) -> np.ndarray:
    """(37, 37) values of one channel → (1, 1370, 1) with the class token −5."""
    return np.concatenate([[-5.0], patches.ravel()]).astype(np.float32)[None, :, None]


def test_training_grid_is_left_as_it_is() -> None:
    table = _table(np.random.default_rng(0).random((GRID, GRID)))
    assert position_table(table, GRID, GRID) is table


def test_class_token_stays_first() -> None:
    resized = position_table(_table(np.zeros((GRID, GRID))), 20, 30)
    assert resized.shape == (1, 601, 1)
    assert resized[0, 0, 0] == -5


def test_rows_and_columns_are_not_exchanged() -> None:
    ramp = np.repeat(np.arange(GRID)[:, None], GRID, axis=1)  # grows down the rows
    resized = position_table(_table(ramp), 20, 56)[0, 1:, 0].reshape(20, 56)
    assert np.ptp(resized, axis=1).max() < 1e-4
    assert (np.diff(resized[:, 0]) > 1).all()


def _keys(x: float) -> float:
    """The cubic convolution kernel of Keys (1981) with a = -3/4, written out."""
    x = abs(x)
    if x < 1:
        return 1.25 * x**3 - 2.25 * x**2 + 1
    return -0.75 * (x**3 - 5 * x**2 + 8 * x - 4) if x < 2 else 0.0


@pytest.mark.parametrize("count", [18, 36, 38, 56, 62])
def test_table_is_read_at_the_official_places(count: int) -> None:
    column = np.random.default_rng(count).random(GRID)
    resized = position_table(_table(np.repeat(column[:, None], GRID, axis=1)), count, GRID)[0, 1:, 0]
    for i, got in enumerate(resized.reshape(count, GRID)[:, 5]):
        place = (i + 0.5) * GRID / (count + 0.1) - 0.5  # + 0.1: not the target size alone
        taps = range(int(np.floor(place)) - 1, int(np.floor(place)) + 3)
        wanted = sum(_keys(place - tap) * column[min(max(tap, 0), GRID - 1)] for tap in taps)
        assert got == pytest.approx(wanted, abs=1e-6)


def test_one_patch_is_answered() -> None:
    resized = position_table(_table(np.ones((GRID, GRID))), 1, 1)
    np.testing.assert_allclose(resized[0, :, 0], [-5, 1], atol=1e-6)
