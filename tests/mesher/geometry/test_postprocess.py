import numpy as np
import pytest
import trimesh

from services.mesher.geometry.mesh import Mesh, is_watertight, signed_volume
from services.mesher.geometry.postprocess import PostprocessOptions, resize_and_place, smooth_and_simplify


@pytest.fixture
def rough() -> Mesh:
    """Return a ball of radius 0.4 with noise along its normals, red above and blue below."""
    ball = trimesh.creation.icosphere(4, 0.4)
    points = np.asarray(ball.vertices)
    noise = 1 + 0.02 * np.random.default_rng(2).standard_normal((len(points), 1))
    colours = np.where(points[:, 1:2] > 0, (250, 0, 0), (0, 0, 250)).astype(np.uint8)
    return Mesh(points * noise, np.asarray(ball.faces, np.int32), colours)


def _roughness(mesh: Mesh) -> float:
    return float(np.std(np.linalg.norm(mesh.vertices, axis=1)))


def test_without_options_nothing_is_done(rough: Mesh) -> None:
    assert smooth_and_simplify(rough, PostprocessOptions()) is rough


def test_smoothing_takes_the_noise_and_keeps_the_volume(rough: Mesh) -> None:
    smooth = smooth_and_simplify(rough, PostprocessOptions(smooth=20))
    assert _roughness(smooth) < 0.4 * _roughness(rough)
    before, after = (signed_volume(mesh.vertices, mesh.faces) for mesh in (rough, smooth))
    assert after == pytest.approx(before, rel=1e-9)
    assert smooth.notes == ("smoothed in 20 rounds",)


def test_a_face_budget_is_kept_closed_and_coloured(rough: Mesh) -> None:
    light = smooth_and_simplify(rough, PostprocessOptions(faces=600))
    assert 400 < len(light.faces) <= 600
    assert is_watertight(light.faces)
    assert light.colours is not None
    high = light.vertices[:, 1] > 0.1
    assert (light.colours[high] == (250, 0, 0)).all()
    assert "simplified from 5120" in light.notes[0]


def test_a_budget_above_what_there_is_changes_nothing(rough: Mesh) -> None:
    assert smooth_and_simplify(rough, PostprocessOptions(faces=100_000)) is rough


def test_a_budget_that_would_tear_the_mesh_is_said_and_not_kept() -> None:
    box = trimesh.creation.box()
    torn = Mesh(np.asarray(box.vertices), np.asarray(box.faces, np.int32)[:-1])  # open from the start
    left = smooth_and_simplify(torn, PostprocessOptions(faces=4))
    assert len(left.faces) == 11
    assert "would not stay closed" in left.notes[0]


def test_size_is_that_of_the_largest_extent(rough: Mesh) -> None:
    assert np.ptp(resize_and_place(rough, PostprocessOptions()).vertices, axis=0).max() == pytest.approx(1)
    assert np.ptp(resize_and_place(rough, PostprocessOptions(size_mm=120)).vertices, axis=0).max() == pytest.approx(120)
    in_metres = resize_and_place(rough, PostprocessOptions(size_mm=120), 1000.0)
    assert np.ptp(in_metres.vertices, axis=0).max() == pytest.approx(0.12)


def test_a_standing_mesh_touches_the_ground_above_the_origin(rough: Mesh) -> None:
    standing = resize_and_place(rough, PostprocessOptions(placement="standing")).vertices
    low, high = standing.min(axis=0), standing.max(axis=0)
    assert low[1] == pytest.approx(0)
    np.testing.assert_allclose((low + high)[[0, 2]], 0, atol=1e-12)
    low, high = (f(resize_and_place(rough, PostprocessOptions()).vertices, axis=0) for f in (np.min, np.max))
    np.testing.assert_allclose(low + high, 0, atol=1e-12)
