"""Any single-image depth network as an ONNX file, run by ONNX Runtime.

    onnx:/path/model.onnx?size=518&mean=0.485,0.456,0.406&std=0.229,0.224,0.225&near=large&provider=auto

A file with a fixed input size gets every photo resized to that size (such exports fail at any other); a file with free
sizes gets the photo by Depth-Anything's own rule. `provider` is cpu, cuda, tensorrt or auto: CUDA where ONNX Runtime
has it, else the CPU. TensorRT builds an engine for each shape at its first photo, which takes minutes, so it is taken
only when named, best for a file of fixed size; it runs in float16 where a trial agrees with float32.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from services.common.arrays import RGB, Float, InverseDepth
from services.common.backends.backend_spec import Triple, read_triple, refuse_unknown
from services.common.backends.batching import Batcher
from services.common.errors import InvalidOption, StageUnavailable
from services.depth.backends.base import Batching, go_on
from services.depth.backends.input_size import parse_size
from services.depth.backends.retry_smaller import WithinMemory, is_out_of_memory
from services.depth.depth_anything_v2.preprocess import (
    INPUT_PX,
    MEAN,
    STD,
    NetworkSize,
    network_size,
    to_network,
    to_photo,
)
from services.depth.depth_anything_v2.trial import MAX_ERROR, error_share

FLOOR_SHARE = 0.01  # of the median depth: nothing is taken for nearer than this when depth is turned into its inverse
PROVIDERS = ("auto", "cpu", "cuda", "tensorrt")
_INPUT_TYPES = {"tensor(float)": "float32", "tensor(float16)": "float16"}
_CPU = "CPUExecutionProvider"
_CUDA = ("CUDAExecutionProvider", {"use_tf32": "0"})  # TF32 has ten bits of mantissa; float32 is to mean float32
_TENSORRT = ("TensorrtExecutionProvider", {"trt_fp16_enable": "1"})


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
    near: Literal["large", "small"] = "large"
    provider: str = "auto"

    @classmethod
    def parse(cls, options: dict[str, str]) -> OnnxOptions:
        """Read the options of a backend's name.

        Raises:
            InvalidOption: a key is unknown or a value out of its range.
        """
        refuse_unknown(options, ("size", "mean", "std", "near", "provider"))
        near = options.get("near", "large")
        if near not in ("large", "small"):
            raise InvalidOption(f"near={near} is neither large nor small", field="backend")
        provider = options.get("provider", "auto")
        if provider not in PROVIDERS:
            raise InvalidOption(f"provider={provider} is none of {', '.join(PROVIDERS)}", field="backend")
        std = read_triple(options, "std", STD)
        if min(std) <= 0:
            raise InvalidOption(f"std is {options['std']!r}; wanted values above 0", field="backend")
        return cls(
            size=parse_size(options["size"]) if "size" in options else None,
            mean=read_triple(options, "mean", MEAN),
            std=std,
            near=cast(Literal["large", "small"], near),
            provider=provider,
        )


class OnnxBackend:
    """A depth network from an ONNX file; see `Backend` for the contract.

    Args:
        path: the ONNX file.
        options: how to speak with it.
        threads: for one estimate; 0 leaves the choice to ONNX Runtime.
        batching: how concurrent calls share a run, where the file leaves its first axis free; None: they do not.
    """

    licence = "not stated (a file of your own)"

    def __init__(self, path: Path, options: OnnxOptions, threads: int, batching: Batching | None = None) -> None:
        self.name = f"onnx:{path}"
        self.device = "cpu"
        self.dtype = "float32"
        self.digest = ""
        self._path = path
        self._options = options
        self._threads = threads
        self._lock = threading.Lock()
        self._session: Any = None  # an onnxruntime.InferenceSession
        self._fixed: NetworkSize | None = None
        self._memory = WithinMemory()
        self._batching = batching
        self._batcher: Batcher[npt.NDArray[Any], npt.NDArray[Any]] | None = None
        self._said = ""

    def load(self) -> None:
        """Load the file and run it once on a grey picture.

        Raises:
            StageUnavailable: ONNX Runtime or the file is missing, or the file is no depth network.
        """
        with self._lock:
            if self._session is not None:
                return
            session = self._open()
            self.digest = _sha256(self._path)
            self._answer(session, np.full((64, 64, 3), 128, np.uint8), go_on)
            if self._batching is not None and not isinstance(session.get_inputs()[0].shape[0], int):
                self._batcher = self._batching.open(self._run_batch, is_out_of_memory, on_gpu=self.device != "cpu")
            self._session = session

    def estimate(self, rgb: RGB, check: Callable[[], None] = go_on) -> InverseDepth:
        """Return (H, W) float32 inverse depth of an (H, W, 3) uint8 photo, larger is nearer."""
        if self._session is None:
            self.load()
        return self._answer(self._session, rgb, check)

    def note(self, width_px: int, height_px: int) -> str:
        """Say when a photo is squeezed into a fixed size of another shape, bounded, or too large for the memory."""
        size = self._size(width_px, height_px)
        stretch = (size.width_px / size.height_px) / (width_px / height_px)
        seen = self._memory.note(size, self.device) or size.note
        if self._fixed and not 0.5 <= stretch <= 2:
            seen = f"depth squeezed the photo into the file's fixed {size.width_px} × {size.height_px} px"
        return "; ".join(sentence for sentence in (seen, self._said) if sentence)

    def _open(self) -> Any:
        try:
            import onnxruntime as ort
        except ImportError:
            raise StageUnavailable(
                f"{self.name} needs ONNX Runtime; install it with `pip install 'unflat[depth]'`"
            ) from None
        if not self._path.is_file():
            raise StageUnavailable(f"there is no ONNX file at {self._path}")
        wanted = self._options.provider
        here = ort.get_available_providers()
        named = {"cuda": _CUDA[0], "tensorrt": _TENSORRT[0]}.get(wanted)
        if named is not None and named not in here:
            raise StageUnavailable(f"this ONNX Runtime has no {named}; it has {', '.join(here)}")
        exact = self._session_of(ort, [_CPU] if wanted == "cpu" or _CUDA[0] not in here else [_CUDA, _CPU])
        self._read_input(exact.get_inputs())
        self.device = "cuda" if exact.get_providers()[0] == _CUDA[0] else "cpu"
        return self._try_tensorrt(ort, exact) if wanted == "tensorrt" else exact

    def _session_of(self, ort: Any, providers: list[Any]) -> Any:
        settings = ort.SessionOptions()
        settings.intra_op_num_threads = self._threads
        try:
            return ort.InferenceSession(str(self._path), settings, providers=providers)
        except Exception as error:  # its exceptions have no common base of their own
            raise StageUnavailable(f"ONNX Runtime cannot load {self._path}: {_first_line(error)}") from error

    def _try_tensorrt(self, ort: Any, exact: Any) -> Any:
        """Return a TensorRT session if it answers a trial picture as `exact` does, else `exact`."""
        session = self._session_of(ort, [_TENSORRT, _CUDA, _CPU])
        picture = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
        size = self._size(128, 96)
        error = error_share(self._infer(session, picture, size), self._infer(exact, picture, size))
        if session.get_providers()[0] == _TENSORRT[0] and error <= MAX_ERROR:  # False for NaN
            self.device, self.dtype = "cuda", "float16"
            return session
        self._said = f"TensorRT would change a trial map by {error:.1%} of its range, so CUDA runs it in float32"
        return exact

    def _read_input(self, inputs: list[Any]) -> None:
        """Learn size and type of the one input, (n, 3, h, w)."""
        shape = list(inputs[0].shape) if inputs else []
        if len(inputs) != 1 or len(shape) != 4 or not _may_be_three(shape[1]):
            raise StageUnavailable(f"{self._path} takes {shape}; a depth network takes one picture (n, 3, h, w)")
        if inputs[0].type not in _INPUT_TYPES:
            raise StageUnavailable(f"{self._path} takes {inputs[0].type}; wanted float or float16")
        self.dtype = _INPUT_TYPES[inputs[0].type]
        height, width = shape[2:]
        if not isinstance(height, int) or not isinstance(width, int):
            return
        if self._options.size not in (None, min(height, width)):
            raise StageUnavailable(
                f"{self._path} takes {width} × {height} px only; leave size={self._options.size} out"
            )
        self._fixed = NetworkSize(width, height)

    def _size(self, width_px: int, height_px: int) -> NetworkSize:
        return self._fixed or network_size(width_px, height_px, self._options.size or INPUT_PX)

    def _answer(self, session: Any, rgb: RGB, check: Callable[[], None]) -> InverseDepth:
        height, width = rgb.shape[:2]
        size = self._size(width, height)
        answer = self._memory.run(
            lambda size: self._infer(session, rgb, size, check), size, self.device, fixed=self._fixed is not None
        )
        if answer.ndim < 2 or answer.size != answer.shape[-1] * answer.shape[-2]:
            raise StageUnavailable(f"{self._path} answers {answer.shape}; a depth network answers one map (1, h, w)")
        values = answer.reshape(answer.shape[-2:]).astype(np.float32)
        if not np.isfinite(values).all():
            raise StageUnavailable(f"{self._path} answers values that are not finite")
        return to_photo(values if self._options.near == "large" else inverse(values), width, height)

    def _infer(self, session: Any, rgb: RGB, size: NetworkSize, check: Callable[[], None] = go_on) -> npt.NDArray[Any]:
        """Return what the file answers for one picture, alone or in a batch."""
        tensor = to_network(rgb, size.width_px, size.height_px, self._options.mean, self._options.std)
        picture = tensor.astype(_INPUT_TYPES[session.get_inputs()[0].type], copy=False)
        if self._batcher is not None:
            return self._batcher.ask(picture, picture.shape, check)
        return self._run(session, picture)

    def _run_batch(self, pictures: list[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        answers = self._run(self._session, np.concatenate(pictures))
        return [answers[i : i + 1] for i in range(len(answers))]

    def _run(self, session: Any, pictures: npt.NDArray[Any]) -> npt.NDArray[Any]:
        feed = {session.get_inputs()[0].name: pictures}
        try:
            return np.asarray(session.run([session.get_outputs()[0].name], feed)[0])
        except Exception as error:
            if is_out_of_memory(error):
                raise
            raise StageUnavailable(f"{self._path} failed on a picture: {_first_line(error)}") from error


def inverse(depth: Float) -> InverseDepth:
    """Return 1 / `depth`, with depth kept above a hundredth of its median, so that a zero cannot become infinity."""
    floor = max(FLOOR_SHARE * float(np.median(depth)), float(np.finfo(np.float32).tiny) * 1e3)
    return np.asarray(1.0 / np.maximum(depth, floor), dtype=np.float32)


def _may_be_three(channels: object) -> bool:
    return channels == 3 or not isinstance(channels, int)  # a name or nothing stands for a free size


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
