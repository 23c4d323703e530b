"""ONNX Runtime on CUDA and TensorRT, played by a stand-in; batches by the real one."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from services.common.backends.backend_spec import BackendSpec
from services.common.backends.batching import BatchOptions
from services.common.errors import InvalidOption, StageUnavailable
from services.depth.backends.onnx import OnnxBackend, OnnxOptions

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"


class _Runtime:
    """An onnxruntime that has some providers; TensorRT is off by a share of the picture's range."""

    SessionOptions = SimpleNamespace

    def __init__(self, here: list[str], tensorrt_off: float = 0.0) -> None:
        self.here = here
        self.opened: list[list[object]] = []
        self._off = tensorrt_off

    def get_available_providers(self) -> list[str]:
        return self.here

    def InferenceSession(self, _path: str, _options: object, providers: list[object]) -> _Session:
        self.opened.append(providers)
        names = [provider if isinstance(provider, str) else provider[0] for provider in providers]
        return _Session(names, self._off if TENSORRT in names else 0.0)


class _Session:
    def __init__(self, providers: list[str], off: float) -> None:
        self._providers, self._off = providers, off

    def get_providers(self) -> list[str]:
        return self._providers

    def get_inputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name="picture", type="tensor(float)", shape=[1, 3, 28, 42])]

    get_outputs = get_inputs

    def run(self, _names: list[str], feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        answer = feed["picture"].mean(axis=1)
        answer[0, 0, 0] += self._off * np.ptp(answer)
        return [answer]


def _open(path: Path, monkeypatch: pytest.MonkeyPatch, runtime: _Runtime, provider: str = "auto") -> OnnxBackend:
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    file = path / "network.onnx"
    file.write_bytes(b"the stand-in does not read it")
    backend = OnnxBackend(file, OnnxOptions.parse(BackendSpec("onnx:", {"provider": provider})), threads=1)
    backend.load()
    return backend


def test_auto_takes_cuda_where_it_is_and_never_in_tf32(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = _Runtime([TENSORRT, CUDA, CPU])
    backend = _open(tmp_path, monkeypatch, runtime)
    assert (backend.device, backend.dtype) == ("cuda", "float32")
    assert runtime.opened == [[(CUDA, {"use_tf32": "0"}), CPU]]


@pytest.mark.parametrize(("provider", "here"), [("auto", [CPU]), ("cpu", [CUDA, CPU])])
def test_the_cpu_runs_what_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: str, here: list[str]
) -> None:
    runtime = _Runtime(here)
    assert _open(tmp_path, monkeypatch, runtime, provider).device == "cpu"
    assert runtime.opened == [[CPU]]


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_a_named_provider_that_is_not_here_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    with pytest.raises(StageUnavailable, match=r"has no (CUDA|Tensorrt)ExecutionProvider; it has CPU"):
        _open(tmp_path, monkeypatch, _Runtime([CPU]), provider)


@pytest.mark.parametrize(("off", "dtype"), [(0.009, "float16"), (0.02, "float32"), (np.nan, "float32")])
def test_tensorrt_is_taken_only_when_the_trial_agrees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, off: float, dtype: str
) -> None:
    backend = _open(tmp_path, monkeypatch, _Runtime([TENSORRT, CUDA, CPU], off), "tensorrt")
    assert (backend.device, backend.dtype) == ("cuda", dtype)
    assert any("TensorRT would change a trial map" in note for note in backend.notes) is (dtype == "float32")


def test_an_unknown_provider_is_refused() -> None:
    with pytest.raises(InvalidOption, match="provider is 'npu'"):
        OnnxOptions.parse(BackendSpec("onnx:", {"provider": "npu"}))


def _write_mean(path: Path, count: object) -> Path:
    axes = numpy_helper.from_array(np.array([1]), "axes")
    picture = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [count, 3, 28, 42])
    answer = helper.make_tensor_value_info("mean", TensorProto.FLOAT, None)
    node = helper.make_node("ReduceMean", ["picture", "axes"], ["mean"], keepdims=0)
    graph = helper.make_graph([node], "mean", [picture], [answer], [axes])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


@pytest.mark.parametrize(("count", "sizes"), [("n", [4]), (1, [])])
def test_photos_share_a_run_where_the_file_leaves_its_first_axis_free(
    tmp_path: Path, count: object, sizes: list[int]
) -> None:
    seen: list[int] = []
    batching = BatchOptions(most=4, max_wait_s=30.0, observe=seen.append)
    backend = OnnxBackend(_write_mean(tmp_path / "mean.onnx", count), OnnxOptions(), 1, batching)
    backend.load()
    photos = [np.full((28, 42, 3), 40 * i, np.uint8) for i in range(1, 5)]
    with ThreadPoolExecutor(4) as pool:
        maps = list(pool.map(backend.estimate, photos))
    assert seen == sizes
    assert [float(depth.mean()) for depth in maps] == sorted(float(depth.mean()) for depth in maps)
    assert all(depth.shape == (28, 42) for depth in maps)
