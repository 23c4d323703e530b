from __future__ import annotations

import numpy as np
import trimesh

from services.mesher.extract import extract_surface, keep_real_parts
from services.mesher.extract.parts import drop_floaters
from services.mesher.geometry.mesh import Mesh, is_watertight, label_components


def _parts(field):
    surface = extract_surface(field, 0.0, 96)
    vertices, faces, dropped = keep_real_parts(surface.vertices, surface.faces)
    return vertices, faces, dropped


def _balls(make_field, *balls):
    return make_field(lambda p: np.min([np.linalg.norm(p - np.array(c), axis=1) - r for c, r in balls], axis=0))


def test_a_second_real_part_stays_and_a_speck_goes(make_field) -> None:
    field = _balls(make_field, ((-0.3, 0, 0), 0.4), ((0.5, 0, 0), 0.1), ((0.5, 0.5, 0.5), 0.03))
    vertices, faces, dropped = _parts(field)
    assert dropped == 1
    assert label_components(faces, len(vertices))[0] == 2
    assert vertices[:, 2].max() < 0.45
    assert is_watertight(faces)


def test_a_thin_long_part_stays(make_field) -> None:
    def both(p):
        ball = np.linalg.norm(p - np.array([-0.3, 0, 0]), axis=1) - 0.35
        rod = np.maximum(np.hypot(p[:, 0] - 0.5, p[:, 1]) - 0.015, np.abs(p[:, 2]) - 0.5)
        return np.minimum(ball, rod)

    vertices, faces, dropped = _parts(make_field(both))
    assert dropped == 0
    assert label_components(faces, len(vertices))[0] == 2


def test_a_hollow_that_nobody_sees_goes(make_field) -> None:
    shell = make_field(lambda p: np.abs(np.linalg.norm(p, axis=1) - 0.4) - 0.1)
    vertices, faces, dropped = _parts(shell)
    assert dropped == 1
    assert np.linalg.norm(vertices, axis=1).min() > 0.49
    assert is_watertight(faces)


def test_an_empty_mesh_stays_empty() -> None:
    vertices, faces, dropped = keep_real_parts(np.zeros((0, 3)), np.zeros((0, 3), np.int32))
    assert (len(vertices), len(faces), dropped) == (0, 0, 0)


def test_a_meshs_floaters_go_with_their_colours_and_are_counted() -> None:
    balls = [(trimesh.creation.icosphere(3, r), x) for r, x in ((1.0, 0.0), (0.5, 3.0), (0.02, 5.0), (0.02, 6.0))]
    vertices = np.concatenate([ball.vertices + np.array([x, 0.0, 0.0]) for ball, x in balls])
    starts = np.cumsum([0, *(len(ball.vertices) for ball, _ in balls)])
    faces = np.concatenate([ball.faces + start for (ball, _), start in zip(balls, starts, strict=False)])
    colours = np.repeat(np.arange(len(vertices))[:, None] % 251, 3, axis=1).astype(np.uint8)
    kept = drop_floaters(Mesh(vertices, faces.astype(np.int32), colours))
    assert kept.notes == ("2 floating or hidden parts removed",)
    assert len(kept.vertices) == starts[2]  # the second real part stays
    np.testing.assert_array_equal(kept.colours, colours[: starts[2]])


def test_a_mesh_without_floaters_is_handed_through() -> None:
    ball = trimesh.creation.icosphere(2)
    mesh = Mesh(np.asarray(ball.vertices), np.asarray(ball.faces, np.int32))
    assert drop_floaters(mesh) is mesh
