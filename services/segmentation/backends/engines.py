"""What runs an ONNX file: OpenVINO on Intel and AMD processors, ONNX Runtime on CUDA and wherever else.

Measured on two cores of an AMD EPYC, ISNet at 1024²: OpenVINO 3.0 s, ONNX Runtime 4.7 s, outputs equal to 1e-4.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np

from services.common.arrays import Float
from services.common.errors import StageUnavailable

Provider: TypeAlias = Literal["auto", "cpu", "cuda", "openvino"]

_CUDA, _CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
_INPUT_TYPES = {"tensor(float16)": np.float16, "tensor(double)": np.float64}  # float32 otherwise


class Engine(Protocol):
    """A loaded network: one picture in, its first output out."""

    device: str
    side_px: int | None  # of a fixed square input; None where the file leaves it open

    def run(self, photo: Float) -> Float:
        """Return the first output for a (1, 3, S, S) float32 input."""


def open_engine(path: Path, provider: Provider, threads: int) -> Engine:
    """Return an engine that has loaded `path`.

    Args:
        path: the ONNX file.
        provider: auto takes CUDA where ONNX Runtime has it, else OpenVINO, else the CPU.
        threads: of one run; 0 leaves the choice to the engine.

    Raises:
        StageUnavailable: the library or the file is missing, or the file cannot be opened.
    """
    if not path.is_file():
        raise StageUnavailable(f"there is no ONNX file at {path}")
    chosen = _choose() if provider == "auto" else provider
    try:
        return OpenVinoEngine(path, threads) if chosen == "openvino" else OrtEngine(path, chosen, threads)
    except ImportError as problem:
        raise StageUnavailable(
            f"{problem.name} is not installed; `pip install 'unflat[segmentation]'` brings it"
        ) from None
    except Exception as problem:  # noqa: BLE001 - a foreign file may raise anything
        raise StageUnavailable(f"{path} could not be opened: {str(problem)[:200]}") from None


class OrtEngine:
    """ONNX Runtime on CUDA or the CPU; `device` tells what it really took."""

    def __init__(self, path: Path, device: str, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # The arena keeps the peak of the first run for ever: 2.2 GB instead of 0.5 for ISNet.
        options.enable_cpu_mem_arena = False
        available = onnxruntime.get_available_providers()
        wanted = [_CUDA, _CPU] if device == "cuda" else [_CPU]
        providers = [provider for provider in wanted if provider in available]
        self._session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        self._input = self._session.get_inputs()[0]
        self.device = "cuda" if self._session.get_providers()[0] == _CUDA else "cpu"
        self.side_px = _fixed_side(self._input.shape)

    def run(self, photo: Float) -> Float:
        """Return the first output."""
        first = self._session.get_outputs()[0].name
        typed = photo.astype(_INPUT_TYPES.get(self._input.type, np.float32))
        return np.asarray(self._session.run([first], {self._input.name: typed})[0], dtype=np.float32)


class OpenVinoEngine:
    """OpenVINO on the CPU, in float32; only the first output is computed."""

    device = "openvino"

    def __init__(self, path: Path, threads: int) -> None:
        import openvino

        core = openvino.Core()
        whole = core.read_model(path)
        network = openvino.Model([whole.outputs[0]], whole.get_parameters())
        hints: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        if threads:
            hints["INFERENCE_NUM_THREADS"] = threads
        self._network = core.compile_model(network, "CPU", hints)
        entry = self._network.inputs[0]
        self._dtype = entry.element_type.to_dtype()
        shape = entry.partial_shape
        dimensions = [d.get_length() if d.is_static else None for d in shape] if shape.rank.is_static else []
        self.side_px = _fixed_side(dimensions)

    def run(self, photo: Float) -> Float:
        """Return the first output; safe to call from several threads at once."""
        request = self._network.create_infer_request()
        answer = request.infer([photo.astype(self._dtype)])
        return np.array(answer[0], dtype=np.float32)


def _choose() -> Provider:
    if importlib.util.find_spec("onnxruntime"):
        import onnxruntime

        if _CUDA in onnxruntime.get_available_providers():
            return "cuda"
    return "openvino" if importlib.util.find_spec("openvino") else "cpu"


def _fixed_side(shape: list[Any]) -> int | None:
    side = shape[2] if len(shape) == 4 else None
    return side if isinstance(side, int) and side > 0 else None
