"""Any single-image depth network as an ONNX file, run by ONNX Runtime.

    onnx:/path/model.onnx?size=518&mean=0.485,0.456,0.406&std=0.229,0.224,0.225&near=large&provider=auto

A file with a fixed input size gets every photo resized to that size (such exports fail at any other); a file with free
sizes gets the photo by Depth-Anything's own rule. `provider` is cpu, cuda, tensorrt or auto: CUDA where ONNX Runtime
has it, else the CPU. TensorRT builds an engine for each shape at its first photo, which takes minutes, so it is taken
only when named, best for a file of fixed size; it runs in float16 where a trial agrees with float32.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from services.common.arrays import RGB, Float, InverseDepth
from services.common.backends.backend_catalogue import Resources
from services.common.backends.backend_spec import BackendSpec, Triple
from services.common.backends.batching import Batcher, BatchOptions
from services.common.backends.onnx_session import (
    CPU,
    CUDA,
    TENSORRT,
    OnnxInput,
    OnnxSession,
    Provider,
    available_providers,
    first_line,
    open_session,
)
from services.common.backends.out_of_memory import is_out_of_memory
from services.common.errors import StageUnavailable
from services.common.models.model_store import StoredModel
from services.depth.backends.base import go_on
from services.depth.backends.retry_smaller import SmallerRetry
from services.depth.depth_anything_v2.preprocess import (
    INPUT_PX,
    MEAN,
    STD,
    NetworkSize,
    network_size,
    read_size,
    to_network,
    to_photo,
)
from services.depth.depth_anything_v2.trial import MAX_ERROR, error_share

FLOOR_SHARE = 0.01  # of the median depth: nothing is taken for nearer than this when depth is turned into its inverse
PROVIDERS = ("auto", "cpu", "cuda", "tensorrt")
_INPUT_TYPES = {"tensor(float)": "float32", "tensor(float16)": "float16"}
_EXACT_CUDA: Provider = (CUDA, {"use_tf32": "0"})  # TF32 has ten bits of mantissa; float32 is to mean float32
_HALF_TENSORRT: Provider = (TENSORRT, {"trt_fp16_enable": "1"})


@dataclass(frozen=True)
class OnnxOptions:
    """How to speak with a foreign network.

    Args:
        size: short side in pixels for files with free sizes, a multiple of 14; more is finer and slower.
        mean, std: normalisation of RGB in [0, 1].
        near: `large` where the network's larger values are nearer (inverse depth, disparity); `small` where they are
            farther (depth, metres), in which case the answer is 1 / value.
        provider: one of `PROVIDERS`.
    """

    size: int | None = None
    mean: Triple = MEAN
    std: Triple = STD
    near: str = "large"
    provider: str = "auto"

    @classmethod
    def parse(cls, spec: BackendSpec) -> OnnxOptions:
        """Read the options of a backend's name.

        Raises:
            InvalidOption: a key is unknown or a value out of its range.
        """
        spec.refuse_unknown("size", "mean", "std", "near", "provider")
        return cls(
            size=read_size(spec, 0) or None,
            mean=spec.triple("mean", MEAN),
            std=spec.triple("std", STD, positive=True),
            near=spec.choice("near", ("large", "small"), "large"),
            provider=spec.choice("provider", PROVIDERS, "auto"),
        )


def open_onnx(spec: BackendSpec, resources: Resources) -> OnnxBackend:
    """Return the backend for a file, not yet loaded.

    Raises:
        InvalidOption: an option is unknown or wrong.
    """
    return OnnxBackend(Path(spec.target), OnnxOptions.parse(spec), resources.threads, resources.batching)


class OnnxBackend:
    """A depth network from an ONNX file; see `Backend` for the contract.

    Args:
        path: the ONNX file.
        options: how to speak with it.
        threads: for one estimate; 0 leaves the choice to ONNX Runtime.
        batching: how concurrent calls share a run, where the file leaves its first axis free; None: they do not.
    """

    def __init__(self, path: Path, options: OnnxOptions, threads: int, batching: BatchOptions | None = None) -> None:
        self.name = f"onnx:{path}"
        self.device = "cpu"
        self.dtype = "float32"
        self.digest = self.licence = ""
        self.notes: tuple[str, ...] = ()
        self._path = path
        self._options = options
        self._threads = threads
        self._lock = threading.Lock()
        self._session: OnnxSession | None = None
        self._fixed: NetworkSize | None = None
        self._retry = SmallerRetry()
        self._batching = batching
        self._batcher: Batcher[npt.NDArray[Any], npt.NDArray[Any]] | None = None

    def load(self) -> None:
        """Load the file and run it once on a grey picture.

        Raises:
            StageUnavailable: ONNX Runtime or the file is missing, or the file is no depth network.
        """
        with self._lock:
            if self._session is not None:
                return
            session = self._open()
            weights = StoredModel.own_file(self._path)
            self.digest, self.licence = weights.sha256, weights.licence
            self._answer(session, np.full((64, 64, 3), 128, np.uint8), go_on)
            if self._batching is not None and session.inputs[0].shape[0] is None:
                self._batcher = Batcher(self._run_batch, self._batching.on(self.device))
            self._session = session

    def estimate(self, rgb: RGB, check: Callable[[], None] = go_on) -> InverseDepth:
        """Return (H, W) float32 inverse depth of an (H, W, 3) uint8 photo, larger is nearer."""
        if self._session is None:
            self.load()
        assert self._session is not None
        return self._answer(self._session, rgb, check)

    def size_notes(self, width_px: int, height_px: int) -> tuple[str, ...]:
        """Say when a photo is squeezed into a fixed size of another shape, bounded, or too large for the memory."""
        size = self._size(width_px, height_px)
        stretch = (size.width_px / size.height_px) / (width_px / height_px)
        said = self._retry.note(size, self.device) or size.note
        if self._fixed and not 0.5 <= stretch <= 2:
            said = f"depth squeezed the photo into the file's fixed {size.width_px} × {size.height_px} px"
        return (said,) if said else ()

    def _open(self) -> OnnxSession:
        wanted = self._options.provider
        named = {"cuda": CUDA, "tensorrt": TENSORRT}.get(wanted)
        here = available_providers()
        if here and named is not None and named not in here:
            raise StageUnavailable(f"this ONNX Runtime has no {named}; it has {', '.join(here)}")
        exact = self._open_on(CPU) if wanted == "cpu" else self._open_on(_EXACT_CUDA, CPU)
        self._read_input(exact.inputs)
        self.device = exact.device
        return self._try_tensorrt(exact) if wanted == "tensorrt" else exact

    def _open_on(self, *providers: Provider) -> OnnxSession:
        return open_session(self._path, providers, self._threads, "'unflat[depth]'")

    def _try_tensorrt(self, exact: OnnxSession) -> OnnxSession:
        """Return a TensorRT session if it answers a trial picture as `exact` does, else `exact`."""
        session = self._open_on(_HALF_TENSORRT, _EXACT_CUDA, CPU)
        picture = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
        size = self._size(128, 96)
        error = error_share(self._infer(session, picture, size), self._infer(exact, picture, size))
        if session.provider == TENSORRT and error <= MAX_ERROR:  # False for NaN
            self.device, self.dtype = "cuda", "float16"
            return session
        self.notes = (f"TensorRT would change a trial map by {error:.1%} of its range, so CUDA runs it in float32",)
        return exact

    def _read_input(self, inputs: tuple[OnnxInput, ...]) -> None:
        """Learn size and type of the one input, (n, 3, h, w)."""
        shape = inputs[0].shape if inputs else ()
        if len(inputs) != 1 or len(shape) != 4 or shape[1] not in (3, None):
            raise StageUnavailable(f"{self._path} takes {shape}; a depth network takes one picture (n, 3, h, w)")
        if inputs[0].type not in _INPUT_TYPES:
            raise StageUnavailable(f"{self._path} takes {inputs[0].type}; wanted float or float16")
        self.dtype = _INPUT_TYPES[inputs[0].type]
        height, width = shape[2:]
        if height is None or width is None:
            return
        if self._options.size not in (None, min(height, width)):
            raise StageUnavailable(
                f"{self._path} takes {width} × {height} px only; leave size={self._options.size} out"
            )
        self._fixed = NetworkSize(width, height)

    def _size(self, width_px: int, height_px: int) -> NetworkSize:
        return self._fixed or network_size(width_px, height_px, self._options.size or INPUT_PX)

    def _answer(self, session: OnnxSession, rgb: RGB, check: Callable[[], None]) -> InverseDepth:
        height, width = rgb.shape[:2]
        size = self._size(width, height)
        answer = self._retry.run(
            lambda size: self._infer(session, rgb, size, check), size, self.device, fixed=self._fixed is not None
        )
        if answer.ndim < 2 or answer.size != answer.shape[-1] * answer.shape[-2]:
            raise StageUnavailable(f"{self._path} answers {answer.shape}; a depth network answers one map (1, h, w)")
        values = answer.reshape(answer.shape[-2:]).astype(np.float32)
        if not np.isfinite(values).all():
            raise StageUnavailable(f"{self._path} answers values that are not finite")
        return to_photo(values if self._options.near == "large" else inverse(values), width, height)

    def _infer(
        self, session: OnnxSession, rgb: RGB, size: NetworkSize, check: Callable[[], None] = go_on
    ) -> npt.NDArray[Any]:
        """Return what the file answers for one picture, alone or in a batch."""
        picture = to_network(rgb, size.width_px, size.height_px, self._options.mean, self._options.std)
        if self._batcher is not None:
            return self._batcher.ask(picture, picture.shape, check)
        return self._run(session, picture)

    def _run_batch(self, pictures: list[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        assert self._session is not None
        answers = self._run(self._session, np.concatenate(pictures))
        return [answers[i : i + 1] for i in range(len(answers))]

    def _run(self, session: OnnxSession, pictures: npt.NDArray[Any]) -> npt.NDArray[Any]:
        try:
            return session.run(pictures)
        except Exception as error:
            if is_out_of_memory(error):
                raise
            raise StageUnavailable(f"{self._path} failed on a picture: {first_line(error)}") from error


def inverse(depth: Float) -> InverseDepth:
    """Return 1 / `depth`, with depth kept above a hundredth of its median, so that a zero cannot become infinity.

    >>> inverse(np.array([[0, 1, 2, 4]], dtype=np.float32)).astype(float).round(2).tolist()
    [[66.67, 1.0, 0.5, 0.25]]
    """
    floor = max(FLOOR_SHARE * float(np.median(depth)), float(np.finfo(np.float32).tiny) * 1e3)
    return np.asarray(1.0 / np.maximum(depth, floor), dtype=np.float32)
