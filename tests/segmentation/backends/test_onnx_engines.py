"""What really runs, with a stand-in for ONNX Runtime that has CUDA, has it in name only, or has none."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from services.common.errors import StageUnavailable
from services.segmentation.backends import onnx_engines
from services.segmentation.backends.catalogue import BACKENDS, NetworkResources
from services.segmentation.backends.onnx_engines import open_engine
from services.segmentation.backends.onnx_network import NetworkInput, OnnxNetwork

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
WANTS = NetworkInput(8, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


class Session:
    """An onnxruntime.InferenceSession that answers the first colour."""

    taken: tuple[str, ...] = (CPU,)

    def __init__(self, path: str, options: object, providers: list[str]) -> None:
        self.asked = providers

    def get_providers(self) -> list[str]:
        return [name for name in self.asked if name in self.taken]

    def get_inputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name="photo", type="tensor(float)", shape=[1, 3, 8, 8])]

    def get_outputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name="mask")]

    def run(self, names: list[str], feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        return [feed["photo"][:, :1]]


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Return a function: what ONNX Runtime lists, what comes up, whether OpenVINO is here → a network's file."""
    path = tmp_path / "net.onnx"
    nodes = [helper.make_node("ReduceMean", ["photo"], ["mask"], axes=[1], keepdims=1)]
    photo = helper.make_tensor_value_info("photo", TensorProto.FLOAT, ["n", 3, 8, 8])
    mask = helper.make_tensor_value_info("mask", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "net", [photo], [mask])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))

    def build(listed: tuple[str, ...], comes_up: tuple[str, ...], openvino: bool = True) -> Path:
        stand_in = SimpleNamespace(
            SessionOptions=SimpleNamespace,
            get_available_providers=lambda: list(listed),
            InferenceSession=type("Up", (Session,), {"taken": comes_up}),
            __spec__=sys.modules.get("onnxruntime", sys).__spec__,
        )
        monkeypatch.setitem(sys.modules, "onnxruntime", stand_in)
        monkeypatch.setattr(onnx_engines, "_has_openvino", lambda: openvino)
        return path

    return build


@pytest.mark.parametrize("provider", ["auto", "cuda"])
def test_a_gpu_that_comes_up_is_used_without_a_word(machine, provider):
    engine = open_engine(machine((CUDA, CPU), (CUDA, CPU)), provider, 0)
    assert (engine.device, engine.notes) == ("cuda", ())


@pytest.mark.parametrize(("openvino", "instead"), [(True, "openvino"), (False, "cpu")])
@pytest.mark.parametrize("provider", ["auto", "cuda"])
def test_a_gpu_in_name_only_is_replaced_and_said_so(machine, provider, openvino, instead):
    engine = open_engine(machine((CUDA, CPU), (CPU,), openvino), provider, 0)
    assert engine.device == instead
    assert engine.notes == (
        f"a GPU was asked for and {instead} is used: CUDA or cuDNN did not load, the start of its log says which",
    )


@pytest.mark.parametrize(("openvino", "instead"), [(True, "openvino"), (False, "cpu")])
def test_without_cuda_the_next_best_runs_and_is_a_matter_of_course_unless_asked(machine, openvino, instead):
    path = machine((CPU,), (CPU,), openvino)
    chosen = open_engine(path, "auto", 0)
    assert (chosen.device, chosen.notes) == (instead, ())
    asked = open_engine(path, "cuda", 0)
    assert asked.device == instead
    assert "unflat[segmentation-cuda]" in asked.notes[0]


@pytest.mark.parametrize("provider", ["cpu", "openvino"])
def test_a_provider_that_is_named_is_taken_though_a_gpu_is_here(machine, provider):
    assert open_engine(machine((CUDA, CPU), (CUDA, CPU)), provider, 0).device == provider


def test_the_backend_tells_what_it_runs_on_and_what_it_was_asked_for(machine):
    network = OnnxNetwork("net", machine((CUDA, CPU), (CPU,)), WANTS, provider="cuda")
    network.load()
    assert network.device == "openvino"
    assert network.notes[0].startswith("a GPU was asked for and openvino is used")


def test_a_gpu_that_is_required_and_does_not_come_up_is_refused_with_the_reason(machine):
    with pytest.raises(StageUnavailable, match=r"would run on openvino; a GPU is required \(.*cuDNN did not load"):
        OnnxNetwork("net", machine((CUDA, CPU), (CPU,)), WANTS, provider="cuda", require_gpu=True).load()


def test_a_gpu_that_is_required_and_comes_up_serves(machine):
    network = OnnxNetwork("net", machine((CUDA, CPU), (CUDA, CPU)), WANTS, require_gpu=True)
    network.load()
    assert network.device == "cuda"


def test_grabcut_is_no_answer_where_a_gpu_is_required():
    with pytest.raises(StageUnavailable, match="grabcut runs on the CPU alone"):
        BACKENDS.open("grabcut", NetworkResources(require_gpu=True))


@pytest.mark.parametrize("provider", ["cpu", "openvino"])
def test_a_free_batch_axis_is_seen(machine, monkeypatch, provider):
    path = machine((CPU,), (CPU,))
    monkeypatch.undo()  # the real ONNX Runtime
    engine = open_engine(path, provider, 1)
    assert engine.has_free_batch
    photos = np.random.default_rng(0).random((3, 3, 8, 8), dtype=np.float32)
    np.testing.assert_allclose(engine.run(photos), photos.mean(1, keepdims=True), atol=1e-6)
