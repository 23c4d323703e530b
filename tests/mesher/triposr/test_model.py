from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from services.common.errors import StageUnavailable
from tests.needs import needed_module

torch = needed_module("torch")
pytestmark = pytest.mark.needs_torch

from services.mesher.triposr.model import TripoSR  # noqa: E402
from services.mesher.triposr.query import sample_planes  # noqa: E402


def test_a_batch_answers_as_each_picture_alone(toy_folder: Path) -> None:
    network = TripoSR.from_checkpoint(toy_folder)
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    both = network(images)
    assert both.shape == (2, 3, 4, 8, 8)
    torch.testing.assert_close(both[1], network(images[1:])[0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_sixteen_bits_stay_near_float32(toy_folder: Path, precision: str) -> None:
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    exact = TripoSR.from_checkpoint(toy_folder)(image)
    near = TripoSR.from_checkpoint(toy_folder, precision=precision)(image)  # type: ignore[arg-type]
    assert near.dtype == torch.float32
    assert not torch.equal(near, exact)
    assert (near - exact).norm() < 0.03 * exact.norm()


def test_decoder_keeps_its_exact_weights_in_sixteen_bits(toy_folder: Path) -> None:
    exact, near = (TripoSR.from_checkpoint(toy_folder, precision=p) for p in ("float32", "bfloat16"))
    assert torch.equal(exact.decoder.layers[0].weight, near.decoder.layers[0].weight)
    assert near.backbone.proj_in.weight.dtype == torch.bfloat16


def test_numbers_that_are_not_finite_are_told(toy_folder: Path) -> None:
    network = TripoSR.from_checkpoint(toy_folder)
    network.backbone.proj_in.weight = torch.nn.Parameter(network.backbone.proj_in.weight * float("inf"))
    with pytest.raises(StageUnavailable, match=r"not finite \(dtype float32\)"):
        network.reconstruct(torch.rand(1, 3, 64, 64))


def test_loading_needs_no_network(toy_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    TripoSR.from_checkpoint(toy_folder)


def test_points_in_pieces_answer_as_points_at_once(toy_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = TripoSR.from_checkpoint(toy_folder)
    field = network.reconstruct(torch.rand(1, 3, 64, 64))
    points = np.random.default_rng(0).uniform(-0.87, 0.87, (100, 3))
    density, colour = field.density(points), field.colour(points)
    monkeypatch.setattr(field, "_points", 7)
    np.testing.assert_allclose(field.density(points), density, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(field.colour(points), colour)


def test_no_points_answer_nothing(toy_folder: Path) -> None:
    field = TripoSR.from_checkpoint(toy_folder).reconstruct(torch.rand(1, 3, 64, 64))
    assert field.density(np.zeros((0, 3))).shape == (0,)
    assert field.colour(np.zeros((0, 3))).shape == (0, 3)


@pytest.mark.parametrize(("plane", "along_width"), [(0, 0), (1, 0), (2, 1)])
def test_first_axis_of_a_plane_runs_along_its_rows(plane: int, along_width: int) -> None:
    ramp = torch.zeros(3, 1, 8, 8)
    ramp[plane, 0] = torch.arange(8.0)  # grows along the width
    low, high = torch.zeros(1, 3), torch.zeros(1, 3)
    low[0, along_width], high[0, along_width] = -0.4, 0.4
    low_value, high_value = (sample_planes(ramp, p, 0.87)[0, plane].item() for p in (low, high))
    assert high_value > low_value + 1
