"""What the benchmark compares with computes the same, and the benchmark of a device runs on any."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.needs import needed_module

torch = needed_module("torch")
pytestmark = pytest.mark.needs_torch

from bench.gpu import measure_device  # noqa: E402
from bench.random_triposr import LEVEL, body_decoder, body_planes, body_scene_code  # noqa: E402
from bench.reference.reference_triposr import ReferenceTripoSR  # noqa: E402
from services.mesher.triposr.model import TripoSR  # noqa: E402
from services.mesher.triposr.query import SceneField  # noqa: E402


@pytest.mark.parametrize("fused", [False, True])
def test_reference_network_answers_as_ours(toy_folder: Path, fused: bool) -> None:
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    reference, ours = ReferenceTripoSR(toy_folder, fused), TripoSR.from_checkpoint(toy_folder)
    code = reference.scene_code(image)
    torch.testing.assert_close(code, ours(image)[0], atol=1e-4, rtol=1e-4)
    points = np.random.default_rng(0).uniform(-0.8, 0.8, (50, 3)).astype(np.float32)
    raw = np.log(reference.query(code, torch.from_numpy(points))[0].numpy()) + 1
    np.testing.assert_allclose(raw, ours.reconstruct(image).density(points), atol=1e-3)


def test_the_benchmarks_bodies_are_where_their_planes_say() -> None:
    field = SceneField(body_scene_code("ring"), body_decoder(), 0.87)
    inside = field.density(np.array([[0.55, 0, 0], [0, -0.55, 0], [0, 0, 0], [0.55, 0, 0.2]])) > LEVEL
    assert inside.tolist() == [True, True, False, False]
    assert body_planes("bead").shape == (3, 64, 64)


def test_a_device_is_measured_in_both_formats(toy_folder: Path) -> None:
    section = measure_device("cpu", (1, 2), runs=1, folder=toy_folder, resolution=32)
    assert [row[0] for row in section.rows] == [
        f"{dtype}, {what}" for dtype in ("float32", "bfloat16") for what in ("batch 1", "batch 2", "surface at 32³")
    ]
