import numpy as np
import trimesh

from services.mesher.geometry.mesh import is_watertight, signed_volume
from services.mesher.geometry.simplification import simplify


def ball() -> tuple[np.ndarray, np.ndarray]:
    body = trimesh.creation.icosphere(5, 1.0)
    return np.asarray(body.vertices), np.asarray(body.faces, np.int32)


def test_simplified_ball_is_closed_within_its_budget_and_as_large() -> None:
    vertices, faces = simplify(*ball(), 4000)
    assert 3000 < len(faces) <= 4000
    assert is_watertight(faces)
    assert abs(signed_volume(vertices, faces) / (4 / 3 * np.pi) - 1) < 0.01


def test_mesh_within_its_budget_is_returned_as_it_is() -> None:
    vertices, faces = ball()
    assert simplify(vertices, faces, len(faces))[1] is faces
