"""Every solid is closed, turns its faces outwards, and has the size that was asked for."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.synthetic.objects import IDEAS, placed
from evaluation.synthetic.solids import (
    Solid,
    ball,
    closed_mesh,
    lathe,
    moved,
    rod,
    rounded_box,
    smooth_line,
    smooth_normals,
    sweep,
    turned,
)
from evaluation.synthetic.truth import bounding_sphere, is_closed


def volume(solid: Solid) -> float:
    a, b, c = (solid.vertices[solid.faces[:, k]] for k in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6.0)


def test_lathe_of_a_rectangle_is_a_closed_cylinder_of_the_right_volume() -> None:
    solid = lathe([(0, 0), (0.5, 0), (0.5, 2.0), (0, 2.0)], segments=256)
    assert is_closed(closed_mesh(solid)[1])
    assert volume(solid) == pytest.approx(np.pi * 0.25 * 2.0, rel=1e-3)


def test_lathe_refuses_a_profile_that_does_not_end_on_the_axis() -> None:
    with pytest.raises(ValueError, match="axis"):
        lathe([(0, 0), (0.5, 0), (0.5, 1.0)])


def test_closed_sweep_of_a_circle_is_a_torus_of_the_right_volume() -> None:
    turn = np.linspace(0.0, 2.0 * np.pi, 129)[:-1]
    solid = sweep(np.stack([np.cos(turn), np.zeros(128), np.sin(turn)], axis=1), 0.2, sides=64, closed=True)
    assert is_closed(closed_mesh(solid)[1])
    assert volume(solid) == pytest.approx(2.0 * np.pi**2 * 0.2**2, rel=5e-3)


def test_open_sweep_is_capped_at_both_ends() -> None:
    line = smooth_line([(0, 0, 0), (0.3, 0.5, 0.1), (0.1, 1.0, 0.4)], 20)
    solid = sweep(line, np.linspace(0.05, 0.02, 20), 0.03, up=(0, 0, 1))
    assert is_closed(closed_mesh(solid)[1])
    assert volume(solid) > 0.0


def test_rod_in_any_direction_is_closed_and_outward() -> None:
    for end in ((0, 1, 0), (1, 0, 0), (0, 0, 1), (0.4, -0.7, 0.2)):
        solid = rod((0, 0, 0), end, 0.05)
        assert is_closed(closed_mesh(solid)[1]), end
        assert volume(solid) > 0.0, end


def test_rounded_box_keeps_its_extents_and_loses_only_its_edges() -> None:
    solid = rounded_box((1.0, 2.0, 0.5), 0.05)
    assert is_closed(closed_mesh(solid)[1])
    assert np.allclose(np.ptp(solid.vertices, axis=0), (1.0, 2.0, 0.5))
    assert 0.97 < volume(solid) < 1.0


def test_ball_has_normals_that_point_away_from_its_centre() -> None:
    solid = ball((0.5, 0.5, 0.5))
    away = solid.vertices / np.linalg.norm(solid.vertices, axis=1, keepdims=True)
    assert float((smooth_normals(solid) * away).sum(axis=1).min()) > 0.98


def test_turning_and_moving_keep_the_volume() -> None:
    box = rounded_box((0.4, 0.6, 0.8), 0.02)
    changed = moved(turned(turned(box, "x", 31.0), "z", -75.0), (3.0, 1.0, 2.0))
    assert volume(changed) == pytest.approx(volume(box), rel=1e-9)


def test_smooth_line_goes_through_its_knots() -> None:
    knots = np.array([(0.0, 0.0), (1.0, 2.0), (3.0, 1.0)])
    line = smooth_line(knots, 21)
    assert np.allclose(line[[0, 10, 20]], knots)


@pytest.mark.parametrize("kind", sorted(IDEAS))
def test_all_parts_of_an_object_are_closed_and_outward(kind: str) -> None:
    for seed in range(4):
        for number, part in enumerate(IDEAS[kind].build(np.random.default_rng(seed))):
            assert is_closed(closed_mesh(part.solid)[1]), f"{kind} {seed}: part {number} ({part.role}) is open"
            assert volume(part.solid) > 0.0, f"{kind} {seed}: part {number} ({part.role}) is inside out"


@pytest.mark.parametrize("kind", sorted(IDEAS))
def test_every_role_of_an_object_has_a_material(kind: str) -> None:
    for seed in range(4):
        roles = {part.role for part in IDEAS[kind].build(np.random.default_rng(seed))}
        assert roles <= set(IDEAS[kind].materials), f"{kind}: no material for {roles - set(IDEAS[kind].materials)}"


@pytest.mark.parametrize("kind", sorted(IDEAS))
def test_a_placed_object_stands_on_the_ground_with_the_asked_size(kind: str) -> None:
    parts = placed(IDEAS[kind].build(np.random.default_rng(7)), 1.1, 40.0)
    every = np.concatenate([part.solid.vertices for part in parts])
    assert float(every[:, 1].min()) == pytest.approx(0.0, abs=1e-9)
    assert float(np.ptp(every, axis=0).max()) == pytest.approx(1.1)


def test_bounding_sphere_of_a_box_is_its_half_diagonal() -> None:
    centre, radius = bounding_sphere(rounded_box((1.0, 2.0, 2.0), 1e-6).vertices + 5.0)
    assert np.allclose(centre, 5.0, atol=2e-3)
    assert radius == pytest.approx(1.5, rel=2e-3)


def test_an_open_surface_is_not_called_closed() -> None:
    faces = closed_mesh(ball(1.0))[1]
    assert is_closed(faces)
    assert not is_closed(faces[1:])


def test_a_surface_with_one_turned_face_is_not_called_closed() -> None:
    faces = closed_mesh(ball(1.0))[1].copy()
    faces[0] = faces[0, ::-1]
    assert not is_closed(faces)
