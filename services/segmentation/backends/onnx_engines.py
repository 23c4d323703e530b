"""What runs an ONNX file: ONNX Runtime on CUDA and wherever else, OpenVINO on Intel and AMD processors.

Measured on two cores of an AMD EPYC, ISNet at 1024²: OpenVINO 1.6 s, ONNX Runtime 2.3 s, outputs equal to 1e-4.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np

from services.common.arrays import Float
from services.common.backends.onnx_session import CPU, CUDA, available_providers, first_line, open_session
from services.common.backends.openvino_cpu import compile_for_cpu
from services.common.errors import StageUnavailable

Provider: TypeAlias = Literal["auto", "cpu", "cuda", "openvino"]
Dtype: TypeAlias = Literal["float32", "bfloat16"]
Precision: TypeAlias = Literal["auto", "bfloat16", "float32"]

_INSTALL = "'unflat[segmentation]'"


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
        StageUnavailable: the library or the file is missing, or the file cannot be loaded.
    """
    if not path.is_file():
        raise StageUnavailable(f"there is no ONNX file at {path}")
    has_cuda = CUDA in available_providers()
    if provider == "openvino" or (provider == "auto" and not has_cuda and _has_openvino()):
        return OpenVinoEngine(path, threads, dtype)
    if provider == "cpu" or (provider == "auto" and not has_cuda):
        return OrtEngine(path, "cpu", threads)
    if has_cuda:
        engine: Engine = OrtEngine(path, "cuda", threads)
        if engine.device == "cuda":
            return engine
        why = "CUDA or cuDNN did not load, the start of its log says which"
    else:
        why = "the ONNX Runtime here has no CUDA; `pip install 'unflat[segmentation-cuda]'` brings it"
    engine = OpenVinoEngine(path, threads, dtype) if _has_openvino() else OrtEngine(path, "cpu", threads)
    engine.notes = (f"a GPU was asked for and {engine.device} is used: {why}",)
    return engine


class OrtEngine:
    """ONNX Runtime on CUDA or the CPU; `device` tells what it really took."""

    dtype: Dtype = "float32"

    def __init__(self, path: Path, device: str, threads: int) -> None:
        self._session = open_session(path, (CUDA, CPU) if device == "cuda" else (CPU,), threads, _INSTALL)
        shape = self._session.inputs[0].shape
        self.device = self._session.device
        self.side_px = _fixed_side(shape)
        self.has_free_batch = _is_batch_free(shape)
        self.notes: tuple[str, ...] = ()

    def run(self, photos: Float) -> Float:
        """Return the first output."""
        return np.asarray(self._session.run(photos), dtype=np.float32)


class OpenVinoEngine:
    """OpenVINO on the CPU; only the first output is computed."""

    device = "openvino"

    def __init__(self, path: Path, threads: int, dtype: Dtype) -> None:
        try:
            import openvino
        except ImportError:
            raise StageUnavailable(f"OpenVINO is not installed; `pip install {_INSTALL}` brings it") from None
        try:
            whole = openvino.Core().read_model(path)
            first_output = openvino.Model([whole.outputs[0]], whole.get_parameters())
            self._network = compile_for_cpu(first_output, threads, dtype)
        except Exception as problem:  # noqa: BLE001 - a foreign file may raise anything
            raise StageUnavailable(f"OpenVINO cannot load {path}: {first_line(problem)}") from None
        entry = self._network.inputs[0]
        self._input_type = entry.element_type.to_dtype()
        shape = entry.partial_shape
        sides = tuple(side.get_length() if side.is_static else None for side in shape) if shape.rank.is_static else ()
        self.dtype = dtype
        self.side_px = _fixed_side(sides)
        self.has_free_batch = _is_batch_free(sides)
        self.notes: tuple[str, ...] = ()

    def run(self, photos: Float) -> Float:
        """Return the first output; safe to call from several threads at once."""
        request = self._network.create_infer_request()
        answer = request.infer([photos.astype(self._input_type)])
        return np.array(answer[0], dtype=np.float32)


def _has_openvino() -> bool:
    return importlib.util.find_spec("openvino") is not None


def _fixed_side(shape: tuple[Any, ...]) -> int | None:
    return shape[2] if len(shape) == 4 else None


def _is_batch_free(shape: tuple[Any, ...]) -> bool:
    return len(shape) == 4 and shape[0] is None
