from __future__ import annotations

import numpy as np

from services.mesher.extract import ExtractOptions, extract_surface, keep_real_parts
from services.mesher.mesh import is_watertight, label_components


def _parts(field):
    surface = extract_surface(field, ExtractOptions(0.0, 96))
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
