"""What runs the network: a GPU where there is one, the CPU where that fails, and an error where something was named."""

from __future__ import annotations

import importlib.util
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from services.common.errors import InvalidOption, StageUnavailable
from services.depth.backends import engine_choice as module
from services.depth.backends.engine_choice import EngineOptions, open_engine
from services.depth.depth_anything_v2.config import Config, tensor_shapes

TINY = Config(width=16, depth=4, heads=2, taps=(0, 1, 2, 3), features=8, neck=(4, 6, 8, 10))


@pytest.fixture(scope="module")
def weights() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(4)
    made = {}
    for name, shape in tensor_shapes(TINY).items():
        values = rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]) if len(shape) > 1 else 1)
        made[name] = (values + (len(shape) == 1 and name.endswith(("weight", "gamma")))).astype(np.float32)
    made["depth_head.scratch.output_conv2.2.bias"][:] = 1
    return made


@pytest.fixture
def a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver shows a GPU; torch here is made for CPUs, so that it cannot use it."""
    monkeypatch.setattr(module, "find_gpus", lambda: [SimpleNamespace(index=0)])


def _torch_on_cpu_as(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let torch say that it has `device`; what is sent there stays on the CPU."""
    from services.depth.depth_anything_v2 import torch_engine

    real = torch_engine.TorchEngine

    class OnCpu:
        def __init__(self, weights, config, asked, dtype="float32") -> None:
            self.device, self.dtype = asked, dtype
            self.infer = real(weights, config, "cpu", dtype).infer

    monkeypatch.setattr(torch_engine, "choose_device", lambda _: device)
    monkeypatch.setattr(torch_engine, "TorchEngine", OnCpu)


def test_without_a_gpu_openvino_runs_it(weights, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_gpus", list)
    engine, _ = open_engine(weights, TINY, EngineOptions(threads=1))
    assert type(engine).__name__ == "OpenVinoEngine"
    assert engine.device == "cpu"


@pytest.mark.needs_torch
def test_a_gpu_takes_torch_and_the_fastest_arithmetic_that_passes(
    weights, a_gpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    _torch_on_cpu_as("cuda", monkeypatch)
    engine, notes = open_engine(weights, TINY, EngineOptions())
    assert (engine.device, engine.dtype, notes) == ("cuda", "float16", ())


@pytest.mark.needs_torch
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("limit", [1.0, 0.0])
def test_on_torch_every_short_format_has_its_trial(
    weights, a_gpu, monkeypatch: pytest.MonkeyPatch, dtype: str, limit: float
) -> None:
    from services.depth.depth_anything_v2 import trial

    _torch_on_cpu_as("cuda", monkeypatch)
    monkeypatch.setattr(trial, "MAX_ERROR", limit)
    engine, notes = open_engine(weights, TINY, EngineOptions(dtype=dtype))
    assert engine.dtype == (dtype if limit else "float32")
    assert any(f"{dtype} would change a trial map" in note for note in notes) is (limit == 0 and dtype != "float32")


def test_a_gpu_that_cannot_be_used_leaves_the_cpu_and_is_said(weights, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_more: object) -> None:
        raise RuntimeError("CUDA driver initialization failed, you might not have a CUDA gpu")

    monkeypatch.setattr(module, "_is_gpu_here", lambda: True)
    monkeypatch.setattr(module, "_open_torch", fail)
    engine, notes = open_engine(weights, TINY, EngineOptions(threads=1))
    assert engine.device == "cpu"
    assert "the GPU could not be used (RuntimeError: CUDA driver initialization failed" in notes[0]


@pytest.mark.needs_torch
def test_a_named_device_that_is_not_here_is_an_error_and_not_a_cpu(weights, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(StageUnavailable, match="device cuda is not to be had"):
        open_engine(weights, TINY, EngineOptions(device="cuda"))


def test_torch_that_was_named_and_is_not_here_is_said(weights, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(StageUnavailable, match="pip install torch"):
        open_engine(weights, TINY, EngineOptions(engine="torch"))


@pytest.mark.needs_torch
def test_torch_stands_in_where_openvino_is_missing(weights, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "openvino" else real(name))
    engine, _ = open_engine(weights, TINY, EngineOptions())
    assert (type(engine).__name__, engine.device, engine.dtype) == ("TorchEngine", "cpu", "float32")


@pytest.mark.parametrize("limit", [1.0, 0.0])
def test_on_a_cpu_bfloat16_goes_as_far_as_the_trial_allows(
    weights, monkeypatch: pytest.MonkeyPatch, limit: float
) -> None:
    from services.depth.depth_anything_v2 import trial

    opened: list[tuple[object, ...]] = []
    real = module.OpenVinoEngine

    def open_and_note(graphs: object, threads: int, *dtypes: object) -> object:
        opened.append(dtypes)
        return real(graphs, threads, *dtypes)

    monkeypatch.setattr(module, "OpenVinoEngine", open_and_note)
    monkeypatch.setattr(module, "bfloat16_processor", lambda: "a modern one")
    monkeypatch.setattr(module, "WHOLE_MAX_ERROR", limit)
    monkeypatch.setattr(trial, "MAX_ERROR", limit)
    open_engine(weights, TINY, EngineOptions(threads=1))
    whole, encoder_only = ("bfloat16", "bfloat16"), ("bfloat16",)
    assert sorted(opened, key=len) == ([(), whole] if limit else [(), encoder_only, whole])


@pytest.mark.parametrize(
    "wrong", [{"engine": "tflite"}, {"device": "tpu"}, {"dtype": "int8"}, {"engine": "openvino", "device": "cuda:1"}]
)
def test_wrong_options_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(InvalidOption):
        EngineOptions(**wrong)
