"""Mesh metrics on solids with known answers, and against the shared scorer where it is at hand."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from evaluation.metrics.alignment import align
from evaluation.metrics.camera_view import draw_silhouette, hidden_from_camera
from evaluation.metrics.mesh_metrics import ExactMesh, describe_shape, score_mesh
from evaluation.metrics.mesh_surface import Surface, read_surface, sample, to_unit_sphere
from tests.needs import SHARED

META = {
    "image": {"width": 512, "height": 384},
    "camera": {"fx": 700.0, "fy": 700.0, "cx": 256.0, "cy": 192.0},
    "mesh_to_camera": {"scale": 0.6, "offset": [0.05, -0.02, -3.0]},
}


def surface(body: Any) -> Surface:
    return Surface(np.asarray(body.vertices, np.float64), np.asarray(body.faces, np.int64))


@pytest.fixture(scope="module")
def body() -> Any:
    parts = [
        trimesh.creation.icosphere(3, 0.5),
        trimesh.creation.cylinder(0.15, 1.2).apply_translation((0.35, 0.1, 0.2)),
        trimesh.creation.box((0.2, 0.7, 0.2)).apply_translation((-0.4, 0.3, -0.2)),
    ]
    whole = trimesh.util.concatenate(parts)
    whole.apply_transform(trimesh.transformations.rotation_matrix(0.5, (1, 1, 0)))
    return whole


@pytest.fixture(scope="module")
def truth(body: Any) -> ExactMesh:
    exact = to_unit_sphere(surface(body))
    return ExactMesh(exact, META, draw_silhouette(exact, META, 512).astype(np.float64))


def slab() -> Surface:
    return surface(trimesh.creation.box((1.4, 1.4, 0.02)))


def test_the_exact_mesh_is_perfect(truth: ExactMesh) -> None:
    found = score_mesh(truth, truth.surface)
    assert (found["f@0.05"] or 0) > 0.999 and (found["f@0.05_aligned"] or 0) > 0.999
    assert found["back_recall"] == 1.0 and found["flat"] == 0.0 and (found["silhouette_iou"] or 0) > 0.97


def test_size_and_place_do_not_matter(truth: ExactMesh) -> None:
    moved = Surface(truth.surface.vertices * 7.0 + np.array([3.0, -2.0, 40.0]), truth.surface.faces)
    found = score_mesh(truth, moved, with_alignment=False)
    assert (found["f@0.05"] or 0) > 0.999


def test_slab_is_flat(truth: ExactMesh) -> None:
    assert score_mesh(truth, slab(), with_alignment=False)["flat"] == 1.0


def test_thin_mesh_of_a_thin_subject_is_not_called_flat() -> None:
    found = score_mesh(ExactMesh(slab()), slab(), with_alignment=False)
    assert found["flat"] == 0.0


def test_turned_mesh_is_found_again_by_alignment(truth: ExactMesh, body: Any) -> None:
    turned = body.copy()
    turned.apply_transform(trimesh.transformations.rotation_matrix(1.9, (0, 1, 0.1)))
    found = score_mesh(truth, surface(turned))
    assert (found["f@0.05"] or 1) < 0.8 and (found["f@0.05_aligned"] or 0) > 0.95


def test_alignment_recovers_a_scale() -> None:
    points = sample(surface(trimesh.creation.box((1.0, 0.6, 0.3))), 3000)
    linear, _ = align(points, points / 1.3)
    assert np.cbrt(np.linalg.det(linear)) == pytest.approx(1.3, rel=0.02)


def test_inside_out_is_noticed(body: Any) -> None:
    turned = body.copy()
    turned.invert()
    assert describe_shape(surface(turned))["outward"] == 0.0
    assert describe_shape(surface(body))["outward"] == 1.0


def test_missing_face_leaves_it_open() -> None:
    ball = surface(trimesh.creation.icosphere(2))
    assert describe_shape(Surface(ball.vertices, ball.faces[1:]))["watertight"] == 0.0


def test_parts_below_one_per_cent_of_the_area_are_not_counted() -> None:
    ball = trimesh.creation.icosphere(3, 1.0)
    crumb = trimesh.creation.icosphere(1, 0.02).apply_translation((2, 0, 0))
    other = trimesh.creation.icosphere(2, 0.5).apply_translation((0, 3, 0))
    assert describe_shape(surface(trimesh.util.concatenate([ball, crumb, other])))["components"] == 2.0


def test_only_the_far_side_is_hidden_from_the_camera() -> None:
    points = sample(surface(trimesh.creation.icosphere(4)), 60_000)
    hidden = hidden_from_camera(points, META)
    assert points[hidden][:, 2].max() < 0.5 and np.mean(hidden[points[:, 2] < -0.1]) > 0.95


def test_without_a_camera_what_needs_one_is_missing(body: Any) -> None:
    found = score_mesh(ExactMesh(surface(body)), surface(body), with_alignment=False)
    assert found["silhouette_iou"] is None and found["back_recall"] is None


def test_file_without_triangles_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cloud.ply"
    trimesh.PointCloud(np.eye(3)).export(path)
    with pytest.raises(ValueError, match="no triangles"):
        read_surface(path)


@pytest.mark.needs_shared
def test_agrees_with_the_shared_scorer(truth: ExactMesh, body: Any) -> None:
    spec = importlib.util.spec_from_file_location("score_meshes", SHARED / "eval" / "score_meshes.py")
    assert spec is not None and spec.loader is not None
    shared = importlib.util.module_from_spec(spec)
    sys.modules["score_meshes"] = shared
    spec.loader.exec_module(shared)
    guess = body.copy()
    guess.apply_transform(trimesh.transformations.rotation_matrix(0.4, (0, 1, 0)))
    guess.apply_transform(np.diag([1.0, 1.2, 0.7, 1.0]))
    exact = trimesh.Trimesh(truth.surface.vertices, truth.surface.faces, process=False)
    reference = shared.score(shared.Scene(exact, META, truth.alpha), guess)
    ours = score_mesh(truth, surface(guess))
    wanted = {**reference["unrotated"], **{f"{name}_aligned": value for name, value in reference["aligned"].items()}}
    wanted |= {name: reference[name] for name in ("back_recall", "back_recall_aligned", "silhouette_iou", "flat")}
    wanted |= {
        name: reference["shape"][name] for name in ("view_depth_ratio", "thickness_ratio", "watertight", "outward")
    }
    wanted = {name: float(value) for name, value in wanted.items()}
    wanted["components"] = reference["shape"]["components_over_1_percent"]
    assert {name: ours[name] for name in wanted} == pytest.approx(wanted, abs=1e-4)
