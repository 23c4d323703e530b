"""Near, far and flatness of a depth map."""

from __future__ import annotations

import numpy as np
import pytest

from services.depth.relief import measure_relief

Y, X = np.mgrid[:300, :400].astype(np.float32)
DISC = ((X - 200) ** 2 + (Y - 150) ** 2 < 80**2).astype(np.float32)


def test_a_plane_is_flat_whatever_its_tilt() -> None:
    assert measure_relief(0.02 * X - 0.01 * Y + 7).flatness == pytest.approx(1, abs=1e-6)


def test_a_constant_map_is_flat() -> None:
    assert measure_relief(np.full((5, 7), 3.3, np.float32)).flatness == 1


def test_something_before_a_wall_is_not_flat() -> None:
    assert measure_relief(1 + 4 * DISC).flatness < 0.05


def test_scale_and_shift_change_nothing_of_the_flatness() -> None:
    depth = 0.004 * Y + DISC
    assert measure_relief(250 * depth + 90).flatness == pytest.approx(measure_relief(depth).flatness, abs=1e-4)


def test_a_few_spikes_move_neither_end() -> None:
    depth = 1 + X / 400
    depth[::50, ::50] = 1e4
    relief = measure_relief(depth)
    assert relief.far == pytest.approx(1.02, abs=0.01)
    assert relief.near == pytest.approx(1.98, abs=0.01)


def test_what_is_not_finite_is_left_out() -> None:
    depth = 1 + 4 * DISC
    with_holes = depth.copy()
    with_holes[:40] = np.nan
    assert measure_relief(with_holes).near == measure_relief(depth).near
    assert measure_relief(np.full((4, 4), np.nan, np.float32)).flatness == 1


def test_one_pixel_is_answered() -> None:
    assert measure_relief(np.ones((1, 1), np.float32)).flatness == 1
