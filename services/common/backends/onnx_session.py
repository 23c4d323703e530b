"""ONNX Runtime, opened in one way for every network that comes as a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from services.common.errors import StageUnavailable

Provider: TypeAlias = str | tuple[str, dict[str, str]]
"""An execution provider of ONNX Runtime, with options of its own where it needs some."""

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
_DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}


@dataclass(frozen=True)
class OnnxInput:
    """One input of a network.

    Attributes:
        name: as the file has it.
        shape: a size an axis; None where the file leaves it open.
        type: as ONNX Runtime says it, e.g. tensor(float16).
    """

    name: str
    shape: tuple[int | None, ...]
    type: str

    @property
    def dtype(self) -> npt.DTypeLike:
        """What arrays are turned into; float32 where ONNX Runtime's type is none of ours."""
        return _DTYPES.get(self.type, np.float32)


class OnnxSession:
    """A network that is loaded. Thread-safe.

    Args:
        session: an onnxruntime.InferenceSession.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self.provider = str(session.get_providers()[0])  # what it really runs on
        self.device = "cpu" if self.provider == CPU else "cuda"
        self.inputs = tuple(
            OnnxInput(entry.name, tuple(_size(side) for side in entry.shape), entry.type)
            for entry in session.get_inputs()
        )

    def run(self, *arrays: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the first output for one array an input, each turned into the type that its input wants."""
        feed = {
            entry.name: array.astype(entry.dtype, copy=False) for entry, array in zip(self.inputs, arrays, strict=True)
        }
        return np.asarray(self._session.run([self._session.get_outputs()[0].name], feed)[0])


def open_session(
    path: Path, providers: Sequence[Provider] = (CUDA, CPU), threads: int = 0, install: str = "onnxruntime"
) -> OnnxSession:
    """Return a file that is loaded; an accelerator that does not come up is replaced by the next provider.

    Args:
        path: the ONNX file.
        providers: the best first; those that this ONNX Runtime lacks are left out.
        threads: of one run on the CPU; 0 leaves the choice to ONNX Runtime.
        install: what brings ONNX Runtime, for the error's sentence.
    Raises:
        StageUnavailable: ONNX Runtime or the file is missing, or the file cannot be loaded.
    """
    try:
        import onnxruntime
    except ImportError:
        raise StageUnavailable(f"ONNX Runtime is not installed; `pip install {install}` brings it") from None
    if not path.is_file():
        raise StageUnavailable(f"there is no ONNX file at {path}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # The arena keeps the peak of the first run for ever: 2.2 GB instead of 0.5 for ISNet.
    options.enable_cpu_mem_arena = False
    here = onnxruntime.get_available_providers()
    usable = [provider for provider in providers if _name(provider) in here]
    try:
        return OnnxSession(onnxruntime.InferenceSession(str(path), options, providers=usable))
    except Exception as problem:
        raise StageUnavailable(f"ONNX Runtime cannot load {path}: {first_line(problem)}") from problem


def available_providers() -> list[str]:
    """Return what this ONNX Runtime can run on; nothing where it is not installed."""
    try:
        import onnxruntime
    except ImportError:
        return []
    return list(onnxruntime.get_available_providers())


def first_line(problem: BaseException) -> str:
    """Return the first line of an error, or its name where it says nothing."""
    lines = str(problem).strip().splitlines()
    return lines[0][:200] if lines else type(problem).__name__


def _size(side: object) -> int | None:
    return side if isinstance(side, int) and side > 0 else None  # a name or nothing stands for a free size


def _name(provider: Provider) -> str:
    return provider if isinstance(provider, str) else provider[0]
