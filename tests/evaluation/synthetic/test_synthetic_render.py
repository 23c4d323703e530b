"""The renderer keeps the conventions of the stage (where Mitsuba is installed)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evaluation.synthetic.materials import painted
from evaluation.synthetic.render import draw
from evaluation.synthetic.solids import ball, moved
from evaluation.synthetic.stage import Camera, Stage, Thing, look_at, plane, room

pytestmark = pytest.mark.needs_renderer


def test_a_ball_is_drawn_where_the_camera_projects_it() -> None:
    target = np.array([0.0, 0.5, 0.0])
    camera = Camera(look_at(15.0, 4.0, target), target, 96, 72, 30.0)
    subject = Thing(moved(ball(0.3), (0.35, 0.6, 0.0)), painted((200, 40, 40)))
    ground = Thing(plane(20.0, 20.0), painted((120, 120, 120)))
    drawing = draw(Stage((subject,), (ground,), camera, room(np.random.default_rng(0))), samples=2)
    rows, columns = np.nonzero(drawing.coverage > 0.5)
    u, v = camera.project(np.array([[0.35, 0.6, 0.0]]))[0]
    assert abs(columns.mean() + 0.5 - u) < 0.7
    assert abs(rows.mean() + 0.5 - v) < 0.7
    nearest = -camera.to_camera(np.array([[0.35, 0.6, 0.0]]))[0, 2] - 0.3
    assert float(drawing.depth[drawing.coverage > 0.5].min()) == pytest.approx(nearest, abs=0.02)
    middle = drawing.light[int(v), int(u)]
    assert middle[0] > 2.0 * middle[2]


def test_one_command_writes_a_scene_folder(tmp_path: Path) -> None:
    from evaluation.__main__ import main

    assert main(["scenes", str(tmp_path), "--count", "1", "--size", "64", "--samples", "1", "--kinds", "ball"]) == 0
    assert {path.name for path in (tmp_path / "p0000_ball").iterdir()} == {
        "photo.jpg", "alpha.png", "depth.npz", "inverse_depth.npz", "mesh.ply", "meta.json",
    }  # fmt: skip
