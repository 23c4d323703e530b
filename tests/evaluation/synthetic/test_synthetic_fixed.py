"""The committed scenes agree with themselves: alpha, mesh, depth and meta tell one story."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import trimesh
from PIL import Image, ImageDraw

from evaluation.sets import FIXED

FOLDERS = sorted(path.parent for path in FIXED.glob("*/meta.json"))
FILES = {"photo.jpg", "alpha.png", "depth.npz", "inverse_depth.npz", "mesh.ply", "meta.json"}


@dataclass(frozen=True)
class Scene:
    meta: dict[str, Any]
    alpha: npt.NDArray[np.float64]
    z: npt.NDArray[np.float64]
    inverse: npt.NDArray[np.float64]
    mesh: Any

    def in_camera(self) -> npt.NDArray[np.float64]:
        place = self.meta["mesh_to_camera"]
        return np.asarray(place["scale"] * self.mesh.vertices + np.asarray(place["offset"]))

    def pixels(self) -> npt.NDArray[np.float64]:
        camera, (x, y, z) = self.meta["camera"], self.in_camera().T
        return np.stack([camera["cx"] + camera["fx"] * x / -z, camera["cy"] - camera["fy"] * y / -z], axis=1)


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name)
def scene(request: pytest.FixtureRequest) -> Scene:
    folder: Path = request.param
    with Image.open(folder / "alpha.png") as picture:
        alpha = np.asarray(picture, dtype=np.float64) / 255.0
    return Scene(
        json.loads((folder / "meta.json").read_text()),
        alpha,
        np.load(folder / "depth.npz")["z"].astype(np.float64),
        np.load(folder / "inverse_depth.npz")["d"].astype(np.float64),
        trimesh.load(folder / "mesh.ply", process=False),
    )


def test_the_set_is_there_complete_and_small() -> None:
    assert 6 <= len(FOLDERS) <= 8
    for folder in FOLDERS:
        assert {path.name for path in folder.iterdir()} == FILES, folder.name
    size = sum(path.stat().st_size for path in FIXED.rglob("*") if path.is_file())
    assert size < 1_200_000, f"{size} bytes"


def test_the_mesh_drawn_through_the_camera_covers_the_alpha(scene: Scene) -> None:
    factor, (high, wide) = 3, scene.alpha.shape
    canvas = Image.new("L", (wide * factor, high * factor))
    pen = ImageDraw.Draw(canvas)
    for corners in (scene.pixels() * factor - 0.5)[scene.mesh.faces].reshape(-1, 6).tolist():
        pen.polygon(corners, fill=255)
    drawn = np.asarray(canvas.resize((wide, high), Image.Resampling.BOX)) >= 128
    seen = scene.alpha >= 0.5
    overlap = np.count_nonzero(drawn & seen) / np.count_nonzero(drawn | seen)
    least = 0.85 if "thin" in scene.meta["tags"] else 0.95
    assert overlap > least, f"{scene.meta['id']}: IoU {overlap:.3f}"


def test_no_vertex_lies_before_the_depth_and_many_lie_on_it(scene: Scene) -> None:
    u, v = np.floor(scene.pixels()).astype(int).T
    inside = (u >= 0) & (v >= 0) & (u < scene.alpha.shape[1]) & (v < scene.alpha.shape[0])
    inside[inside] &= scene.alpha[v[inside], u[inside]] == 1.0
    behind = -scene.in_camera()[inside, 2] - scene.z[v[inside], u[inside]]
    assert np.mean(behind > -0.02) > 0.95, f"{scene.meta['id']}: {np.mean(behind > -0.02):.3f} not before the surface"
    assert np.mean(np.abs(behind) < 0.02) > 0.2, f"{scene.meta['id']}: {np.mean(np.abs(behind) < 0.02):.3f} on it"


def test_the_mesh_is_closed_outward_small_and_of_radius_one(scene: Scene) -> None:
    assert scene.mesh.is_watertight
    assert scene.mesh.volume > 0.0
    assert len(scene.mesh.faces) <= 3000
    radius = np.linalg.norm(scene.mesh.vertices, axis=1)
    assert float(radius.max()) == pytest.approx(1.0, abs=1e-3)


def test_the_meta_file_repeats_what_the_pictures_show(scene: Scene) -> None:
    meta, (rows, columns) = scene.meta, np.nonzero(scene.alpha >= 0.5)
    assert (
        scene.alpha.shape == (meta["image"]["height"], meta["image"]["width"]) == scene.z.shape == scene.inverse.shape
    )
    assert meta["coverage"] == pytest.approx(float(scene.alpha.mean()), abs=1e-3)
    assert meta["box"] == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    angle = np.radians(meta["elevation_degrees"])
    assert np.allclose(meta["up_in_camera"], (0.0, np.cos(angle), np.sin(angle)), atol=1e-4)


def test_the_simulated_depth_follows_the_true_one(scene: Scene) -> None:
    surface = scene.z < 0.99 * scene.meta["depth"]["far_clip"]
    correlation = np.corrcoef(scene.inverse[surface], 1.0 / scene.z[surface])[0, 1]
    assert correlation > 0.9, f"{scene.meta['id']}: {correlation:.3f}"


def test_alpha_is_antialiased(scene: Scene) -> None:
    between = (scene.alpha > 0.0) & (scene.alpha < 1.0)
    assert 0.0 < float(between.mean()) < 0.2
    assert len(np.unique(scene.alpha[between])) > 30
