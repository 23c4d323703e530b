"""Any single-image depth network as an ONNX file, run by ONNX Runtime.

    onnx:/path/model.onnx?size=518&mean=0.485,0.456,0.406&std=0.229,0.224,0.225&near=large

A file with a fixed input size gets every photo resized to that size (such exports fail at any other); a file with free
sizes gets the photo by Depth-Anything's own rule.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from services.common.arrays import RGB, Float, InverseDepth
from services.common.errors import InvalidOption, StageUnavailable
from services.common.models.name_options import Triple, read_triple, refuse_unknown
from services.depth.backends.memory import is_out_of_memory, smaller
from services.depth.backends.name_options import parse_size
from services.depth.depth_anything_v2.preprocess import (
    INPUT_PX,
    MEAN,
    STD,
    NetworkSize,
    network_size,
    to_network,
    to_photo,
)

FLOOR_SHARE = 0.01  # of the median depth: nothing is taken for nearer than this when depth is turned into its inverse


@dataclass(frozen=True)
class OnnxOptions:
    """How to speak with a foreign network.

    Args:
        size: short side in pixels for files with free sizes, a multiple of 14; more is finer and slower.
        mean, std: normalisation of RGB in [0, 1].
        near: `large` where the network's larger values are nearer (inverse depth, disparity); `small` where they are
            farther (depth, metres), in which case the answer is 1 / value.
    """

    size: int | None = None
    mean: Triple = MEAN
    std: Triple = STD
    near: Literal["large", "small"] = "large"

    @classmethod
    def parse(cls, options: dict[str, str]) -> OnnxOptions:
        """Read the options of a backend's name.

        Raises:
            InvalidOption: a key is unknown or a value out of its range.
        """
        refuse_unknown(options, ("size", "mean", "std", "near"))
        near = options.get("near", "large")
        if near not in ("large", "small"):
            raise InvalidOption(f"near={near} is neither large nor small", field="backend")
        std = read_triple(options, "std", STD)
        if min(std) <= 0:
            raise InvalidOption(f"std is {options['std']!r}; wanted values above 0", field="backend")
        return cls(
            size=parse_size(options["size"]) if "size" in options else None,
            mean=read_triple(options, "mean", MEAN),
            std=std,
            near=cast(Literal["large", "small"], near),
        )


class OnnxBackend:
    """A depth network from an ONNX file; see `Backend` for the contract.

    Args:
        path: the ONNX file.
        threads: for one estimate; 0 leaves the choice to ONNX Runtime.
    """

    licence = "not stated (a file of your own)"

    def __init__(self, path: Path, options: OnnxOptions, threads: int) -> None:
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
        self._too_large: set[NetworkSize] = set()  # sizes at which memory ran out the last time

    def load(self) -> None:
        """Load the file and run it once on a grey picture.

        Raises:
            StageUnavailable: ONNX Runtime or the file is missing, or the file is no depth network.
        """
        with self._lock:
            if self._session is None:
                session = self._open()
                self.digest = _sha256(self._path)
                self._run(session, np.full((64, 64, 3), 128, np.uint8))
                self._session = session

    def estimate(self, rgb: RGB) -> InverseDepth:
        """Return (H, W) float32 inverse depth of an (H, W, 3) uint8 photo, larger is nearer."""
        if self._session is None:
            self.load()
        return self._run(self._session, rgb)

    def note(self, width_px: int, height_px: int) -> str:
        """Say when a photo is squeezed into a fixed size of another shape, bounded, or too large for the memory."""
        size = self._size(width_px, height_px)
        if size in self._too_large:
            less = smaller(size)
            return f"the {self.device} ran out of memory; depth saw the photo at {less.width_px} × {less.height_px} px"
        stretch = (size.width_px / size.height_px) / (width_px / height_px)
        if self._fixed and not 0.5 <= stretch <= 2:
            return f"depth squeezed the photo into the file's fixed {size.width_px} × {size.height_px} px"
        return size.note

    def _open(self) -> Any:
        try:
            import onnxruntime as ort
        except ImportError:
            raise StageUnavailable(
                f"{self.name} needs ONNX Runtime; install it with `pip install 'unflat[depth]'`"
            ) from None
        if not self._path.is_file():
            raise StageUnavailable(f"there is no ONNX file at {self._path}")
        settings = ort.SessionOptions()
        settings.intra_op_num_threads = self._threads
        wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
        providers = [provider for provider in wanted if provider in ort.get_available_providers()]
        try:
            session = ort.InferenceSession(str(self._path), settings, providers=providers)
        except Exception as error:  # its exceptions have no common base of their own
            raise StageUnavailable(f"ONNX Runtime cannot load {self._path}: {_first_line(error)}") from error
        self._read_input(session.get_inputs())
        self.device = "cuda" if session.get_providers()[0].startswith("CUDA") else "cpu"
        return session

    def _read_input(self, inputs: list[Any]) -> None:
        """Learn size and type of the one input, (n, 3, h, w)."""
        shape = list(inputs[0].shape) if inputs else []
        types = {"tensor(float)": "float32", "tensor(float16)": "float16"}
        if len(inputs) != 1 or len(shape) != 4 or not _may_be_three(shape[1]):
            raise StageUnavailable(f"{self._path} takes {shape}; a depth network takes one picture (n, 3, h, w)")
        if inputs[0].type not in types:
            raise StageUnavailable(f"{self._path} takes {inputs[0].type}; wanted float or float16")
        self.dtype = types[inputs[0].type]
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

    def _run(self, session: Any, rgb: RGB) -> InverseDepth:
        height, width = rgb.shape[:2]
        answer = self._infer_within_memory(session, rgb, self._size(width, height))
        if answer.ndim < 2 or answer.size != answer.shape[-1] * answer.shape[-2]:
            raise StageUnavailable(f"{self._path} answers {answer.shape}; a depth network answers one map (1, h, w)")
        values = answer.reshape(answer.shape[-2:]).astype(np.float32)
        if not np.isfinite(values).all():
            raise StageUnavailable(f"{self._path} answers values that are not finite")
        return to_photo(values if self._options.near == "large" else inverse(values), width, height)

    def _infer_within_memory(self, session: Any, rgb: RGB, size: NetworkSize) -> npt.NDArray[Any]:
        """Return the network's answer; where memory runs out, once more at a smaller size, then a clear error."""
        try:
            answer = self._infer(session, rgb, size)
        except Exception as error:
            if not is_out_of_memory(error):
                raise StageUnavailable(f"{self._path} failed on a picture: {_first_line(error)}") from error
            if self._fixed:
                raise StageUnavailable(_no_memory(self.device, size)) from error
        else:
            self._too_large.discard(size)
            return answer
        less = smaller(size)  # outside the handler, so that the error no longer holds on to what it had
        try:
            answer = self._infer(session, rgb, less)
        except Exception as error:
            raise StageUnavailable(_no_memory(self.device, less)) from error
        self._too_large.add(size)
        return answer

    def _infer(self, session: Any, rgb: RGB, size: NetworkSize) -> npt.NDArray[Any]:
        tensor = to_network(rgb, size.width_px, size.height_px, self._options.mean, self._options.std)
        feed = {session.get_inputs()[0].name: tensor.astype(self.dtype, copy=False)}
        return np.asarray(session.run([session.get_outputs()[0].name], feed)[0])


def inverse(depth: Float) -> InverseDepth:
    """Return 1 / `depth`, with depth kept above a hundredth of its median, so that a zero cannot become infinity."""
    floor = max(FLOOR_SHARE * float(np.median(depth)), float(np.finfo(np.float32).tiny) * 1e3)
    return np.asarray(1.0 / np.maximum(depth, floor), dtype=np.float32)


def _no_memory(device: str, size: NetworkSize) -> str:
    return (
        f"the {device} has too little memory for depth, even at {size.width_px} × {size.height_px} px; "
        "free some, or run the depth stage elsewhere"
    )


def _may_be_three(channels: object) -> bool:
    return channels == 3 or not isinstance(channels, int)  # a name or nothing stands for a free size


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
