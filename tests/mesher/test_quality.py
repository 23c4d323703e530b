from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import trimesh

from services.mesher.geometry.camera import Camera
from services.mesher.geometry.mesh import Mesh
from services.mesher.quality import inspect

Field = npt.NDArray[np.float32]


def ball(scale: tuple[float, float, float] = (1, 1, 1)) -> Mesh:
    body = trimesh.creation.icosphere(3, 0.5)
    return Mesh(np.asarray(body.vertices) * scale, np.asarray(body.faces, np.int32))


@pytest.fixture
def alpha(disc: Field) -> Field:
    return np.clip(disc + 0.5, 0, 1).astype(np.float32)


def test_ball_of_a_disc_is_whole(alpha: Field, camera: Camera) -> None:
    quality = inspect(ball(), alpha, camera)
    assert quality.watertight and quality.outward and not quality.is_flat
    assert quality.components == 1
    assert quality.view_depth_ratio == pytest.approx(1.0, abs=0.02)
    assert quality.volume == pytest.approx(np.pi / 6, rel=0.02)
    assert quality.silhouette_iou is not None and quality.silhouette_iou > 0.97
    assert quality.verdict_kind == "good"


def test_sheet_facing_the_camera_is_flat(alpha: Field, camera: Camera) -> None:
    quality = inspect(ball((1, 1, 0.02)), alpha, camera)
    assert quality.is_flat and quality.verdict_kind == "flat"


def test_thin_sheet_that_leans_is_flat_too(alpha: Field, camera: Camera) -> None:
    sheet = ball((1, 1, 0.01))
    turn = trimesh.transformations.rotation_matrix(0.8, (1, 0, 0))[:3, :3]
    quality = inspect(replace(sheet, vertices=sheet.vertices @ turn.T), alpha, camera)
    assert quality.view_depth_ratio > 0.3
    assert quality.is_flat


def test_solid_scores_above_open_and_open_above_flat(alpha: Field, camera: Camera) -> None:
    whole = ball()
    scores = [
        inspect(mesh, alpha, camera).score
        for mesh in (whole, replace(whole, faces=whole.faces[:-30]), ball((1, 1, 0.02)))
    ]
    assert scores[0] > scores[1] > scores[2], scores


def test_open_surface_is_called_broken(alpha: Field, camera: Camera) -> None:
    whole = ball()
    quality = inspect(replace(whole, faces=whole.faces[:-30]), alpha, camera)
    assert not quality.watertight and not quality.outward
    assert quality.verdict_kind == "open" and "not closed" in quality.verdict


def test_inside_out_surface_is_called_broken() -> None:
    whole = ball()
    quality = inspect(replace(whole, faces=np.ascontiguousarray(whole.faces[:, ::-1])), None, None)
    assert quality.watertight and not quality.outward
    assert quality.verdict_kind == "inside_out" and "inside out" in quality.verdict


def test_outline_of_another_shape_is_noticed(ring: Field, camera: Camera) -> None:
    quality = inspect(ball(), np.clip(ring + 0.5, 0, 1).astype(np.float32), camera)
    assert quality.silhouette_iou is not None and quality.silhouette_iou < 0.85


def test_unexpected_parts_are_counted_and_said(alpha: Field, camera: Camera) -> None:
    one, other = ball(), ball()
    vertices = np.concatenate([one.vertices, other.vertices * 0.5 + [1, 0, 0]])
    faces = np.concatenate([one.faces, other.faces + len(one.vertices)]).astype(np.int32)
    quality = inspect(Mesh(vertices, faces), None, None)
    assert quality.components == 2
    assert quality.verdict_kind == "fragmented" and "2 parts" in quality.verdict


def test_without_cutout_the_outline_is_left_open() -> None:
    assert inspect(ball(), None, None).silhouette_iou is None


def test_mesh_without_faces_is_broken_and_worthless(alpha: Field, camera: Camera) -> None:
    quality = inspect(Mesh(np.zeros((0, 3)), np.zeros((0, 3), np.int32)), alpha, camera)
    assert quality.score == 0.0
    assert quality.verdict_kind == "empty" and quality.verdict.startswith("Broken")


def test_card_before_a_far_wall_is_truly_flat(alpha: Field, disc: Field, camera: Camera) -> None:
    depth = np.where(disc > 0, 1.0 + 0.0001 * np.arange(disc.shape[1], dtype=np.float32), 0.4).astype(np.float32)
    quality = inspect(ball((1, 1, 0.05)), alpha, camera, depth)
    assert quality.is_flat and quality.is_truly_flat
    assert quality.verdict_kind == "truly_flat"


def test_ball_is_not_truly_flat_by_its_depth(alpha: Field, ball_depth: Field, camera: Camera) -> None:
    assert not inspect(ball((1, 1, 0.02)), alpha, camera, ball_depth).is_truly_flat


def test_constant_depth_excuses_nothing(alpha: Field, camera: Camera) -> None:
    assert not inspect(ball((1, 1, 0.02)), alpha, camera, np.ones_like(alpha)).is_truly_flat
