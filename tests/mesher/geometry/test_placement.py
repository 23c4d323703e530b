import numpy as np
import pytest
import trimesh

from services.mesher.geometry.camera import Camera, project
from services.mesher.geometry.placement import place_before_camera


@pytest.mark.parametrize("centre", [(0.0, 0.0, -6.0), (1.0, -0.5, -5.0)])
def test_mesh_of_unknown_place_is_put_back_where_it_was_seen(centre: tuple[float, float, float]) -> None:
    camera = Camera(400.0, 150.0, 120.0)
    ball = np.asarray(trimesh.creation.icosphere(3, 0.8).vertices) * [1.0, 1.3, 0.7]
    there = ball + centre
    pixels = project(there, camera)
    v, u = np.mgrid[:300, :400] + 0.5
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    alpha = ((u > low[0]) & (u < high[0]) & (v > low[1]) & (v < high[1])).astype(np.float32)
    found = place_before_camera(ball * 1.0 + 3.0, alpha, camera)
    assert np.abs(project(found, camera) - pixels).max() < 1.5


def test_size_of_the_mesh_does_not_change_where_it_falls() -> None:
    camera = Camera(300.0, 64.0, 64.0)
    ball = np.asarray(trimesh.creation.icosphere(2, 1.0).vertices)
    alpha = np.zeros((128, 128), np.float32)
    alpha[30:90, 20:80] = 1
    one, large = (project(place_before_camera(ball * k, alpha, camera), camera) for k in (1.0, 250.0))
    assert np.abs(one - large).max() < 1e-6
