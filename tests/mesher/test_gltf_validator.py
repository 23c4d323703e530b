"""GLB files before Khronos' own validator (npm gltf-validator), where node and its packages are here."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from services.mesher.export import export
from services.mesher.geometry.camera import Camera
from services.mesher.geometry.mesh import Mesh
from services.mesher.geometry.postprocess import PostprocessOptions, resize_and_place
from services.mesher.inflate import inflate
from services.mesher.texture.baking import bake

pytestmark = pytest.mark.needs_node
ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
const validator = require("gltf-validator");
const bytes = new Uint8Array(require("fs").readFileSync(process.argv[1]));
validator.validateBytes(bytes, {maxIssues: 20}).then((report) => console.log(JSON.stringify(report.issues)));
"""


def _issues(data: bytes, folder: Path) -> dict[str, Any]:
    path = folder / "mesh.glb"
    path.write_bytes(data)
    done = subprocess.run(["node", "-e", SCRIPT, path], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 0, done.stderr
    issues: dict[str, Any] = json.loads(done.stdout)
    return issues


def _assert_clean(issues: dict[str, Any]) -> None:
    assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), issues["messages"]


@pytest.fixture
def ball() -> Mesh:
    sphere = trimesh.creation.icosphere(2, 0.5)
    colours = np.random.default_rng(3).integers(0, 256, (len(sphere.vertices), 3)).astype(np.uint8)
    return Mesh(np.asarray(sphere.vertices), np.asarray(sphere.faces, np.int32), colours)


@pytest.mark.parametrize("size_mm", [None, 0.5, 250.0])
def test_a_mesh_with_vertex_colours_is_valid_in_any_size(ball: Mesh, size_mm: float | None, tmp_path: Path) -> None:
    _assert_clean(_issues(export(resize_and_place(ball, PostprocessOptions(size_mm=size_mm), 1000.0), "glb"), tmp_path))


def test_a_mesh_without_colours_is_valid(ball: Mesh, tmp_path: Path) -> None:
    _assert_clean(_issues(export(Mesh(ball.vertices, ball.faces), "glb"), tmp_path))


def test_an_inflated_and_baked_subject_is_valid(cut, disc, camera: Camera, tmp_path: Path) -> None:
    rgba = cut(disc)
    mesh = inflate(rgba, None, camera)
    _assert_clean(_issues(export(mesh, "glb"), tmp_path))
    _assert_clean(_issues(export(bake(mesh, rgba, camera, 256), "glb"), tmp_path))


def test_the_validator_bites(ball: Mesh, tmp_path: Path) -> None:
    broken = export(ball, "glb").replace(b'"componentType":5126', b'"componentType":5127')
    broken = broken.replace(b'"componentType": 5126', b'"componentType": 5127')
    assert _issues(broken, tmp_path)["numErrors"] > 0
