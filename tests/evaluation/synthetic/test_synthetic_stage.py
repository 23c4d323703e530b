"""Camera, composition and film: conventions that the truth depends on."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.synthetic import film, textures
from evaluation.synthetic.compose import ELEVATION_DEGREES, compose, kind_of
from evaluation.synthetic.materials import KINDS, random_subject_material
from evaluation.synthetic.objects import IDEAS
from evaluation.synthetic.stage import Camera, look_at, outdoors, room

pytestmark = pytest.mark.slow


@pytest.fixture
def camera() -> Camera:
    target = np.array([0.0, 0.5, 0.0])
    return Camera(look_at(20.0, 3.0, target), target, 400, 300, 40.0)


def test_the_target_falls_on_the_middle_of_the_picture(camera: Camera) -> None:
    assert np.allclose(camera.project(camera.target[None]), [[200.0, 150.0]])


def test_right_is_right_and_up_is_up(camera: Camera) -> None:
    right, above = camera.project(camera.target + np.array([[0.1, 0.0, 0.0], [0.0, 0.1, 0.0]]))
    assert right[0] > 200.0 and right[1] == pytest.approx(150.0)
    assert above[1] < 150.0 and above[0] == pytest.approx(200.0)


def test_camera_axes_are_a_rotation_and_z_points_towards_the_camera(camera: Camera) -> None:
    assert np.allclose(camera.rotation @ camera.rotation.T, np.eye(3))
    assert np.linalg.det(camera.rotation) == pytest.approx(1.0)
    assert camera.to_camera(camera.target[None])[0, 2] == pytest.approx(-3.0)


def test_fov_reaches_from_border_to_border(camera: Camera) -> None:
    edge = camera.target + camera.rotation.T @ np.array([3.0 * np.tan(np.radians(20.0)), 0.0, 0.0])
    assert camera.project(edge[None])[0, 0] == pytest.approx(400.0)


@pytest.mark.parametrize("seed", (1, 6, 14, 23))
def test_a_composed_subject_is_in_the_picture_seen_from_the_promised_elevation(seed: int) -> None:
    scene = compose(seed, 96)
    points = np.concatenate([thing.solid.vertices for thing in scene.stage.subject])
    seen = scene.stage.camera.project(points) / (scene.stage.camera.width, scene.stage.camera.height)
    inside = float(((seen > 0.0) & (seen < 1.0)).all(axis=1).mean())
    assert inside > 0.3, f"{scene.name}: {inside:.2f} of the vertices are in the picture"
    assert ELEVATION_DEGREES[0] <= scene.elevation_degrees <= ELEVATION_DEGREES[1]
    assert scene.stage.camera.rotation[2, 1] == pytest.approx(np.sin(np.radians(scene.elevation_degrees)))


def test_a_seed_gives_the_same_scene_again() -> None:
    one, two = compose(12, 64), compose(12, 64)
    assert one.tags == two.tags
    assert np.array_equal(one.stage.subject[0].solid.vertices, two.stage.subject[0].solid.vertices)


def test_kinds_take_turns() -> None:
    assert sorted(kind_of(seed) for seed in range(len(IDEAS))) == sorted(IDEAS)


def test_every_named_material_can_be_drawn() -> None:
    named = {kind for idea in IDEAS.values() for kinds in idea.materials.values() for kind in kinds}
    assert named <= set(KINDS)
    for kind in sorted(named):
        colour = random_subject_material(np.random.default_rng(0), kind).colour
        assert float(np.min(colour)) >= 0.0 and float(np.max(colour)) <= 1.0, kind


def test_textures_repeat_without_a_seam() -> None:
    field = textures.noise(np.random.default_rng(0), 1.5, side=128)
    across = np.abs(field[:, 0] - field[:, -1]).mean()
    assert across < 1.5 * np.abs(np.diff(field, axis=1)).mean()


def test_surrounds_are_light_and_never_negative() -> None:
    for surround in (room(np.random.default_rng(0)), outdoors(np.random.default_rng(0))):
        assert surround.shape == (256, 512, 3)
        assert float(surround.min()) >= 0.0
        assert float(surround.max()) > 5.0 * float(np.median(surround))


def test_film_exposes_dark_and_bright_scenes_alike() -> None:
    light = np.random.default_rng(0).uniform(0.2, 0.6, (64, 64, 3)).astype(np.float32)
    photos = [film.develop(light * gain, np.random.default_rng(1), film.Options()) for gain in (0.1, 1.0, 30.0)]
    assert photos[0].dtype == np.uint8
    assert np.ptp([photo.mean() for photo in photos]) < 1.0


def test_film_darkens_the_corners() -> None:
    photo = film.develop(np.full((80, 80, 3), 0.5, np.float32), np.random.default_rng(0), film.Options(bloom=0.0))
    assert photo[:8, :8].mean() < photo[36:44, 36:44].mean() - 3.0
