from __future__ import annotations

import numpy as np
import pytest

from services.common.errors import InvalidOption
from services.mesher.extract import extract_surface
from services.mesher.geometry.mesh import (
    is_watertight,
    label_components,
    merge_by_position,
    signed_volume,
    vertex_normals,
)


def _euler(surface) -> int:
    return len(surface.vertices) - len(surface.faces) // 2


def test_surface_is_closed_outward_and_stays_closed_in_print(shape) -> None:
    surface = extract_surface(shape, 0.0, 128)
    assert is_watertight(surface.faces)
    assert signed_volume(surface.vertices, surface.faces) > 0
    assert is_watertight(merge_by_position(surface.vertices, surface.faces)[1])


def test_vertices_lie_on_the_surface(ball) -> None:
    surface = extract_surface(ball, 0.0, 128)
    off = np.abs(np.linalg.norm(surface.vertices - (0.05, -0.02, 0.01), axis=1) - 0.5)
    assert off.max() < 0.01 * 2 * 0.87 / 127 + 3e-5  # the clearance, and the bend of the ball within a cell


def test_volume_and_normals_are_those_of_the_ball(ball) -> None:
    surface = extract_surface(ball, 0.0, 128)
    assert signed_volume(surface.vertices, surface.faces) == pytest.approx(4 / 3 * np.pi * 0.5**3, rel=2e-3)
    normals = vertex_normals(surface.vertices, surface.faces)
    away = (surface.vertices - (0.05, -0.02, 0.01)) / 0.5
    assert np.einsum("ij,ij->i", normals, away).min() > 0.95


def test_parts_and_holes_are_those_of_the_shape(ring_and_bead) -> None:
    surface = extract_surface(ring_and_bead, 0.0, 128)
    assert label_components(surface.faces, len(surface.vertices))[0] == 2
    assert _euler(surface) == 0 + 2


def test_a_body_that_reaches_through_the_cube_is_closed_on_its_faces(make_field) -> None:
    pillar = make_field(lambda p: np.hypot(p[:, 0], p[:, 1]) - 0.3)
    surface = extract_surface(pillar, 0.0, 64)
    cell = 2 * 0.87 / 63
    assert is_watertight(surface.faces)
    assert is_watertight(merge_by_position(surface.vertices, surface.faces)[1])
    assert _euler(surface) == 2
    assert np.abs(surface.vertices).max() == pytest.approx(0.87 + 0.01 * cell)
    assert signed_volume(surface.vertices, surface.faces) == pytest.approx(np.pi * 0.3**2 * 1.74, rel=0.01)


def test_a_full_cube_is_a_cube() -> None:
    surface = extract_surface(lambda p: np.ones(len(p), np.float32), 0.0, 32)
    assert is_watertight(merge_by_position(surface.vertices, surface.faces)[1])
    assert _euler(surface) == 2
    assert signed_volume(surface.vertices, surface.faces) == pytest.approx(1.74**3, rel=0.01)


def test_noise_gives_a_closed_surface_too() -> None:
    """Every case of a cell, doubtful faces included, meets every other."""
    noise = np.random.default_rng(0).standard_normal((24, 24, 24)).astype(np.float32)

    def rough(p):
        return noise[tuple(np.rint((p / 0.87 + 1) / 2 * 23).astype(int).T)]

    surface = extract_surface(rough, 0.3, 24)
    assert is_watertight(surface.faces)
    assert signed_volume(surface.vertices, surface.faces) > 0


def test_topology_equals_that_of_the_dense_marching_cubes(ring_and_bead) -> None:
    from skimage import measure

    axis = np.linspace(-0.87, 0.87, 96)
    lattice = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    vertices, faces, _, _ = measure.marching_cubes(ring_and_bead(lattice).reshape(96, 96, 96), 0.0)
    surface = extract_surface(ring_and_bead, 0.0, 96)
    assert (len(surface.vertices), len(surface.faces)) == (len(vertices), len(faces))
    ours = np.sort(np.round(surface.vertices.sum(axis=1), 2))
    theirs = np.sort(np.round((vertices / 95 * 1.74 - 0.87).sum(axis=1), 2))
    assert np.abs(ours - theirs).max() < 0.011


def test_another_level_moves_the_surface(ball) -> None:
    inner, outer = (extract_surface(ball, level, 64) for level in (3.0, -3.0))
    assert np.ptp(inner.vertices, axis=0).max() == pytest.approx(1.0 - 2 * 3 / 60, abs=0.01)
    assert np.ptp(outer.vertices, axis=0).max() == pytest.approx(1.0 + 2 * 3 / 60, abs=0.01)


def test_a_field_without_a_surface_gives_an_empty_mesh() -> None:
    surface = extract_surface(lambda p: np.full(len(p), -5, np.float32), 0.0, 32)
    assert surface.vertices.shape == (0, 3)
    assert surface.faces.shape == (0, 3)


@pytest.mark.parametrize("resolution", [7, 1025])
def test_a_resolution_out_of_range_is_refused(ball, resolution: int) -> None:
    with pytest.raises(InvalidOption, match=str(resolution)):
        extract_surface(ball, 0.0, resolution)


@pytest.mark.parametrize("resolution", [32, 256])
def test_a_field_that_never_comes_near_the_level_has_no_surface(resolution: int) -> None:
    found = extract_surface(lambda p: np.full(len(p), -50.0, np.float32), 0.0, resolution)
    assert found.faces.shape == (0, 3)
    assert found.vertices.shape == (0, 3)
