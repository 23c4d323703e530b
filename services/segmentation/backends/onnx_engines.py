"""What runs an ONNX file: ONNX Runtime on CUDA and wherever else, OpenVINO on Intel and AMD processors.

Measured on two cores of an AMD EPYC, ISNet at 1024²: OpenVINO 1.6 s, ONNX Runtime 2.3 s, outputs equal to 1e-4.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np

from services.common.arrays import Float
from services.common.errors import StageUnavailable

Provider: TypeAlias = Literal["auto", "cpu", "cuda", "openvino"]
Dtype: TypeAlias = Literal["float32", "bfloat16"]
Precision: TypeAlias = Literal["auto", "bfloat16", "float32"]

_CUDA, _CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
_INPUT_TYPES = {"tensor(float16)": np.float16, "tensor(double)": np.float64}  # float32 otherwise
_HINTS: dict[Dtype, str] = {"float32": "f32", "bfloat16": "bf16"}


class Engine(Protocol):
    """A loaded network: pictures in, its first output out."""

    device: str  # what it really runs on: cuda, openvino or cpu
    dtype: Dtype
    side_px: int | None  # of a fixed square input; None where the file leaves it open
    has_free_batch: bool  # whether it takes several pictures at once
    notes: tuple[str, ...]  # what was asked for and is not so

    def run(self, photos: Float) -> Float:
        """Return the first output for an (N, 3, S, S) float32 input; N is 1 unless the batch is free."""


def open_engine(path: Path, provider: Provider, threads: int, dtype: Dtype = "float32") -> Engine:
    """Return an engine that has loaded `path`.

    Args:
        path: the ONNX file.
        provider: auto takes CUDA where ONNX Runtime has it, else OpenVINO, else the CPU. CUDA that does not come up is
            replaced in the same order, and the engine's notes say so.
        threads: of one run; 0 leaves the choice to the engine.
        dtype: what OpenVINO is to compute in; the others compute in float32.

    Raises:
        StageUnavailable: the library or the file is missing, or the file cannot be opened.
    """
    if not path.is_file():
        raise StageUnavailable(f"there is no ONNX file at {path}")
    try:
        if provider == "openvino" or (provider == "auto" and not _has_cuda() and _has_openvino()):
            return OpenVinoEngine(path, threads, dtype)
        if provider == "cpu" or (provider == "auto" and not _has_cuda()):
            return OrtEngine(path, "cpu", threads)
        return _open_cuda(path, threads, dtype)
    except ImportError as problem:
        raise StageUnavailable(
            f"{problem.name} is not installed; `pip install 'unflat[segmentation]'` brings it"
        ) from None
    except Exception as problem:  # noqa: BLE001 - a foreign file may raise anything
        raise StageUnavailable(f"{path} could not be opened: {str(problem)[:200]}") from None


class OrtEngine:
    """ONNX Runtime on CUDA or the CPU; `device` tells what it really took."""

    dtype: Dtype = "float32"

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
        self.has_free_batch = _is_free(self._input.shape)
        self.notes: tuple[str, ...] = ()

    def run(self, photos: Float) -> Float:
        """Return the first output."""
        first = self._session.get_outputs()[0].name
        typed = photos.astype(_INPUT_TYPES.get(self._input.type, np.float32))
        return np.asarray(self._session.run([first], {self._input.name: typed})[0], dtype=np.float32)


class OpenVinoEngine:
    """OpenVINO on the CPU; only the first output is computed."""

    device = "openvino"

    def __init__(self, path: Path, threads: int, dtype: Dtype) -> None:
        import openvino

        core = openvino.Core()
        whole = core.read_model(path)
        network = openvino.Model([whole.outputs[0]], whole.get_parameters())
        hints: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": _HINTS[dtype]}
        if threads:
            hints["INFERENCE_NUM_THREADS"] = threads
        self._network = core.compile_model(network, "CPU", hints)
        entry = self._network.inputs[0]
        self._input_type = entry.element_type.to_dtype()
        shape = entry.partial_shape
        dimensions = [d.get_length() if d.is_static else None for d in shape] if shape.rank.is_static else []
        self.dtype = dtype
        self.side_px = _fixed_side(dimensions)
        self.has_free_batch = _is_free(dimensions)
        self.notes: tuple[str, ...] = ()

    def run(self, photos: Float) -> Float:
        """Return the first output; safe to call from several threads at once."""
        request = self._network.create_infer_request()
        answer = request.infer([photos.astype(self._input_type)])
        return np.array(answer[0], dtype=np.float32)


def processor_of_openvino() -> str:
    """Return version and processor of OpenVINO where the processor knows bfloat16, or an empty string."""
    if not _has_openvino():
        return ""
    import openvino

    core = openvino.Core()
    if "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        return ""
    return f"OpenVINO {openvino.__version__} on {core.get_property('CPU', 'FULL_DEVICE_NAME')}"


def _open_cuda(path: Path, threads: int, dtype: Dtype) -> Engine:
    """Return an engine on CUDA, or the next best one with a note of why."""
    if _has_cuda():
        engine: Engine = OrtEngine(path, "cuda", threads)
        if engine.device == "cuda":
            return engine
        why = "CUDA or cuDNN did not load, the start of its log says which"
    else:
        why = "the ONNX Runtime here has no CUDA; `pip install 'unflat[segmentation-cuda]'` brings it"
    engine = OpenVinoEngine(path, threads, dtype) if _has_openvino() else OrtEngine(path, "cpu", threads)
    engine.notes = (f"a GPU was asked for and {engine.device} is used: {why}",)
    return engine


def _has_cuda() -> bool:
    if importlib.util.find_spec("onnxruntime") is None:
        return False
    import onnxruntime

    return _CUDA in onnxruntime.get_available_providers()


def _has_openvino() -> bool:
    return importlib.util.find_spec("openvino") is not None


def _fixed_side(shape: list[Any]) -> int | None:
    side = shape[2] if len(shape) == 4 else None
    return side if isinstance(side, int) and side > 0 else None


def _is_free(shape: list[Any]) -> bool:
    return len(shape) == 4 and not (isinstance(shape[0], int) and shape[0] > 0)
