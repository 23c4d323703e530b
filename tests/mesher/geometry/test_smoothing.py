import numpy as np
import trimesh

from services.mesher.geometry.mesh import signed_volume
from services.mesher.geometry.smoothing import smooth_taubin


def test_smoothing_removes_noise_and_keeps_the_volume() -> None:
    ball = trimesh.creation.icosphere(5, 1.0)
    vertices, faces = np.asarray(ball.vertices), np.asarray(ball.faces, np.int32)
    rough = vertices * (1 + 0.01 * np.random.default_rng(1).standard_normal((len(vertices), 1)))
    even = smooth_taubin(rough, faces, 8)
    assert np.linalg.norm(even, axis=1).std() < 0.6 * np.linalg.norm(rough, axis=1).std()
    assert abs(signed_volume(even, faces) / signed_volume(vertices, faces) - 1) < 0.01
