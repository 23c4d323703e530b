"""A saliency network in an ONNX file, run by ONNX Runtime with the preprocessing of rembg's sessions.

The photo is scaled to a fixed square with LANCZOS (the filter matters more than anything else: bilinear fills the
spokes of a wheel), divided by its largest value, normalised, and the first output is scaled back. Unlike rembg, the raw
values are kept: a min–max stretch hides that a network found nothing.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from PIL import Image

from services.common.arrays import RGB, Float
from services.common.errors import Internal, StageUnavailable
from services.segmentation.backends.base import RawMask

Triple: TypeAlias = tuple[float, float, float]
Provider: TypeAlias = Literal["auto", "cpu", "cuda", "openvino"]

_PROVIDERS: dict[str, str] = {
    "cuda": "CUDAExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
_DEVICES = {provider: device for device, provider in _PROVIDERS.items()}
_INPUT_TYPES = {"tensor(float16)": np.float16, "tensor(double)": np.float64}  # float32 otherwise
_LEAST_MAXIMUM = 1e-6  # a black photo is divided by this instead of zero, as rembg does


@dataclass(frozen=True)
class NetworkInput:
    """How a network wants its photo.

    Attributes:
        side_px: of the square input, for files that do not fix it themselves.
        mean: subtracted from RGB in [0, 1].
        std: divided by after that.
        sigmoid: whether its output still needs one.
    """

    side_px: int
    mean: Triple
    std: Triple
    sigmoid: bool = False


class OnnxNetwork:
    """One ONNX file as a backend.

    Args:
        name: what receipts call it.
        path: the ONNX file.
        wants: its preprocessing.
        digest: sha256 of the file.
        licence: of its weights.
        provider: what to run on; auto takes CUDA where ONNX Runtime has it.
        require_gpu: refuse to run on anything else than CUDA.
        threads: of one run; 0 leaves the choice to ONNX Runtime.
    """

    def __init__(
        self,
        name: str,
        path: Path,
        wants: NetworkInput,
        *,
        digest: str = "",
        licence: str = "",
        provider: Provider = "auto",
        require_gpu: bool = False,
        threads: int = 0,
    ) -> None:
        self.name = name
        self.dtype = "float32"
        self.digest = digest
        self.licence = licence
        self.device = "cpu"
        self._path = path
        self._wants = wants
        self._provider = provider
        self._require_gpu = require_gpu
        self._threads = threads
        self._lock = threading.Lock()
        self._session: Any = None  # an onnxruntime.InferenceSession

    def load(self) -> None:
        """Open the file and run it once on a grey picture.

        Raises:
            StageUnavailable: ONNX Runtime or the file is missing or broken, or a required GPU is not used.
        """
        with self._lock:
            if self._session is not None:
                return
            session = self._open()
            self.device = _DEVICES.get(session.get_providers()[0], "cpu")
            if self._require_gpu and self.device != "cuda":
                raise StageUnavailable(
                    f"{self.name} would run on {self.device}; a GPU is required "
                    "(install onnxruntime-gpu, or leave --require-gpu out)"
                )
            try:
                self._run(session, np.full((64, 64, 3), 128, np.uint8))
            except Exception as problem:  # noqa: BLE001 - a foreign file may raise anything
                raise StageUnavailable(f"{self._path} is not a network that answers masks: {problem}") from None
            self._session = session

    def segment(self, rgb: RGB) -> RawMask:
        """Return what the network says of an (H, W, 3) photo."""
        if self._session is None:
            self.load()
        small = self._run(self._session, rgb)
        height, width = rgb.shape[:2]
        score = float(small.max())
        full = Image.fromarray(small).resize((width, height), Image.Resampling.LANCZOS)
        return RawMask(np.clip(np.asarray(full, dtype=np.float32), 0.0, 1.0), min(max(score, 0.0), 1.0))

    def _open(self) -> Any:
        try:
            import onnxruntime
        except ImportError:
            raise StageUnavailable(
                f"{self.name} needs ONNX Runtime; install it with `pip install 'unflat[segmentation]'`"
            ) from None
        if not self._path.is_file():
            raise StageUnavailable(f"there is no ONNX file at {self._path}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        # The arena keeps the peak of the first run for ever: 2.2 GB instead of 0.5 for ISNet.
        options.enable_cpu_mem_arena = False
        try:
            return onnxruntime.InferenceSession(
                str(self._path), options, providers=self._providers(onnxruntime.get_available_providers())
            )
        except Exception as problem:  # noqa: BLE001 - a foreign file may raise anything
            raise StageUnavailable(f"{self._path} could not be opened: {str(problem)[:200]}") from None

    def _providers(self, available: list[str]) -> list[str]:
        wanted = ["cuda" if self._provider == "auto" else self._provider, "cpu"]
        return [_PROVIDERS[device] for device in dict.fromkeys(wanted) if _PROVIDERS[device] in available]

    def _run(self, session: Any, rgb: RGB) -> Float:
        entry = session.get_inputs()[0]
        side = entry.shape[2] if isinstance(entry.shape[2], int) else self._wants.side_px
        photo = prepare(rgb, replace(self._wants, side_px=side))
        answer = session.run(None, {entry.name: photo.astype(_INPUT_TYPES.get(entry.type, np.float32))})[0]
        mask = np.asarray(answer, dtype=np.float32)[0, 0]
        if self._wants.sigmoid:
            mask = 1.0 / (1.0 + np.exp(-mask))
        if not np.isfinite(mask).all():
            raise Internal(f"{self.name} answered values that are not finite")
        return np.asarray(mask, dtype=np.float32)


def prepare(rgb: RGB, wants: NetworkInput) -> Float:
    """Return an (H, W, 3) photo as the (1, 3, side, side) float32 that the network takes."""
    side = wants.side_px
    small = np.asarray(Image.fromarray(rgb).resize((side, side), Image.Resampling.LANCZOS), dtype=np.float64)
    scaled = small / max(float(small.max()), _LEAST_MAXIMUM)
    normalised = (scaled - np.asarray(wants.mean)) / np.asarray(wants.std)
    return np.ascontiguousarray(normalised.transpose(2, 0, 1)[None], dtype=np.float32)
