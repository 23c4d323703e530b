"""The torch network on the CPU against the OpenVINO one; what is CUDA's own is played by a stand-in."""

from __future__ import annotations

import numpy as np
import pytest

from tests.needs import needed_module

torch = needed_module("torch")
pytestmark = pytest.mark.needs_torch

from services.common.errors import StageUnavailable  # noqa: E402
from services.depth.depth_anything_v2 import torch_engine  # noqa: E402
from services.depth.depth_anything_v2.config import Config  # noqa: E402
from services.depth.depth_anything_v2.graph import build_graphs  # noqa: E402
from services.depth.depth_anything_v2.openvino_engine import OpenVinoEngine  # noqa: E402
from services.depth.depth_anything_v2.torch_engine import TorchEngine, choose_device  # noqa: E402
from services.depth.depth_anything_v2.trial import error_share  # noqa: E402

Tensors = dict[str, np.ndarray]


def _pictures(count: int, height: int = 70, width: int = 42) -> np.ndarray:
    return np.random.default_rng(count).standard_normal((count, 3, height, width)).astype(np.float32)


@pytest.fixture(scope="module")
def exact(tiny: Config, tiny_weights: Tensors) -> TorchEngine:
    return TorchEngine(tiny_weights, tiny, "cpu")


@pytest.mark.parametrize("size", [(70, 98), (98, 42), (14, 14), (518, 518)])
def test_it_computes_what_the_graph_computes(
    exact: TorchEngine, tiny: Config, tiny_weights: Tensors, size: tuple[int, int]
) -> None:
    picture = _pictures(1, *size)
    wanted = OpenVinoEngine(build_graphs(tiny_weights, tiny), threads=1).infer(picture)[0]
    answer = exact.infer(picture)
    assert answer.shape == (1, *size)
    assert answer.dtype == np.float32
    assert error_share(answer[0], wanted) < 2e-5


def test_each_picture_of_a_batch_is_answered_as_if_alone(exact: TorchEngine) -> None:
    pictures = _pictures(3)
    for map_, picture in zip(exact.infer(pictures), pictures, strict=True):
        np.testing.assert_allclose(map_, exact.infer(picture[None])[0], atol=1e-5)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_short_formats_stay_near(exact: TorchEngine, tiny: Config, tiny_weights: Tensors, dtype: str) -> None:
    fast = TorchEngine(tiny_weights, tiny, "cpu", dtype)
    error = error_share(fast.infer(_pictures(1))[0], exact.infer(_pictures(1))[0])
    assert fast.dtype == dtype
    assert 0 < error < (0.05 if dtype == "bfloat16" else 0.01), error


class _Recorder:
    """Stands in for CUDA graphs: a recorded shape refuses every other, as a graph would compute nonsense."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.replays = 0

    def __call__(self, network, pictures, positions):
        shape = tuple(pictures.shape)
        self.shapes.append(shape)

        def replay(pictures, positions):
            assert tuple(pictures.shape) == shape
            self.replays += 1
            return network(pictures, positions)

        return replay


def test_a_shape_is_recorded_when_it_comes_again_and_replayed_from_then_on(tiny: Config, tiny_weights: Tensors) -> None:
    recorder = _Recorder()
    engine = TorchEngine(tiny_weights, tiny, "cpu", record=recorder)
    first = engine.infer(_pictures(1))
    assert recorder.shapes == []
    for _ in range(3):
        np.testing.assert_array_equal(engine.infer(_pictures(1)), first)
    assert recorder.shapes == [(1, 3, 70, 42)]
    assert recorder.replays == 3


def test_batches_are_filled_up_so_that_few_sizes_are_recorded(tiny: Config, tiny_weights: Tensors) -> None:
    recorder = _Recorder()
    engine = TorchEngine(tiny_weights, tiny, "cpu", record=recorder)
    for count in (3, 3, 4):
        assert engine.infer(_pictures(count)).shape == (count, 70, 42)
    assert recorder.shapes == [(4, 3, 70, 42)]


def test_few_shapes_are_kept(tiny: Config, tiny_weights: Tensors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_engine, "_SHAPES", 2)
    recorder = _Recorder()
    engine = TorchEngine(tiny_weights, tiny, "cpu", record=recorder)
    for side in (14, 28, 42, 14):
        for _ in range(2):
            engine.infer(_pictures(1, side, 14))
    assert [shape[2] for shape in recorder.shapes] == [14, 28, 42, 14]


def test_a_shape_that_cannot_be_recorded_runs_unrecorded(tiny: Config, tiny_weights: Tensors) -> None:
    tries: list[int] = []

    def record(_network, _pictures, _positions):
        tries.append(1)
        raise RuntimeError("operation not permitted when stream is capturing")

    engine = TorchEngine(tiny_weights, tiny, "cpu", record=record)
    wanted = engine.infer(_pictures(1))
    for _ in range(2):
        np.testing.assert_array_equal(engine.infer(_pictures(1)), wanted)
    assert len(tries) == 1


def test_full_memory_is_said_in_our_words_and_what_was_recorded_is_let_go(tiny: Config, tiny_weights: Tensors) -> None:
    recorder = _Recorder()
    engine = TorchEngine(tiny_weights, tiny, "cpu", record=recorder)
    for _ in range(2):
        engine.infer(_pictures(1))
    network = engine._network

    def full(_pictures, _positions):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    engine._network = full
    with pytest.raises(MemoryError, match="Tried to allocate"):
        engine.infer(_pictures(1, 140, 42))
    engine._network = network
    engine.infer(_pictures(1))
    assert recorder.shapes == [(1, 3, 70, 42)] * 2


def test_auto_takes_the_best_device_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto") == "cpu"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device("auto") == "mps"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == "cuda"


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "mps"])
def test_a_device_that_is_not_here_is_refused_with_what_is(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: device == "cuda:1")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(StageUnavailable, match=f"device {device} is not to be had; torch sees .*cpu"):
        choose_device(device)
