"""A saliency network in an ONNX file, with the preprocessing of rembg's sessions.

The photo is scaled to a fixed square with LANCZOS (the filter matters more than anything else: bilinear fills the
spokes of a wheel), divided by its largest value, normalised, and the first output is scaled back. Unlike rembg, the raw
values are kept: a min–max stretch hides that a network found nothing.

Concurrent calls are run together where that pays: on a GPU, with a file whose batch axis is free. On two cores of an
AMD EPYC a batch gains 3 to 5 % a picture (`python -m bench batching`), less than the wait for one costs.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from services.common.arrays import RGB, Float
from services.common.backends.backend_spec import Triple
from services.common.backends.batching import Batcher, BatchOptions
from services.common.backends.openvino_cpu import bfloat16_processor
from services.common.errors import Internal, StageUnavailable
from services.segmentation.backends.base import RawMask
from services.segmentation.backends.onnx_engines import (
    Dtype,
    Engine,
    Precision,
    Provider,
    open_engine,
)
from services.segmentation.backends.precision_trial import (
    PrecisionChoice,
    choose_precision,
    load_choice,
    probe_scene,
    store_choice,
)

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
        provider: what to run on, see `onnx_engines.open_engine`.
        require_gpu: refuse to run on anything else than CUDA.
        threads: of one run; 0 leaves the choice to the engine.
        precision: auto computes in bfloat16 where that is faster and the mask stays the same; float32 always.
        record: where the choice of precision is kept from one start to the next; None measures at every start.
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
        precision: Precision = "auto",
        record: Path | None = None,
    ) -> None:
        self.name = name
        self.dtype: Dtype = "float32"
        self.digest = digest
        self.licence = licence
        self.device = "cpu"
        self.notes: tuple[str, ...] = ()
        self._path = path
        self._wants = wants
        self._provider = provider
        self._require_gpu = require_gpu
        self._threads = threads
        self._precision = precision
        self._record = record
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._batcher: Batcher[Float, Float] | None = None

    @property
    def file_bytes(self) -> int:
        """Size of the file, 0 where it is not there."""
        return self._path.stat().st_size if self._path.is_file() else 0

    def load(self) -> None:
        """Open the file, settle what it computes in, and run it once.

        Raises:
            StageUnavailable: the engine or the file is missing or broken, or a required GPU is not used.
        """
        with self._lock:
            if self._engine is not None:
                return
            processor = "" if self._precision == "float32" else bfloat16_processor()
            situation = f"{self.digest}, {processor}, {self._precision}"
            choice = load_choice(self._record, situation) if processor else None
            engine = self._open("float32" if choice is None else choice.dtype)
            self.device = engine.device
            if self._require_gpu and self.device != "cuda":
                raise StageUnavailable(
                    f"{self.name} would run on {self.device}; a GPU is required "
                    f"({'; '.join(engine.notes) or 'install onnxruntime-gpu, or leave --require-gpu out'})"
                )
            mask, took_s = self._run_probe(engine)
            if processor and engine.device == "openvino" and choice is None:
                choice, engine = self._try_bfloat16(engine, mask, took_s)
                store_choice(self._record, situation, choice)
            self.notes = engine.notes
            if choice is not None and choice.warns:
                self.notes += (f"{self.name} computes in float32: {choice.why}",)
            self.dtype = engine.dtype
            if engine.device == "cuda" and engine.has_free_batch:
                batching = BatchOptions().on(engine.device)
                self._batcher = Batcher(lambda photos: list(engine.run(np.concatenate(photos))), batching)
            self._engine = engine

    def close(self) -> None:
        """Let the engine go; whoever runs it now comes to an end first."""
        with self._lock:
            if self._batcher is not None:
                self._batcher.close()
            self._engine = self._batcher = None

    def _open(self, dtype: Dtype) -> Engine:
        return open_engine(self._path, self._provider, self._threads, dtype)

    def _run_probe(self, engine: Engine) -> tuple[Float, float]:
        """Return what the network says of the probe scene, and the seconds of the processor that it took.

        They are the same on a busy machine, where the wall clock would say which run was disturbed.
        """
        begin = time.process_time()
        try:
            mask = self._run(engine, probe_scene())
        except Exception as problem:  # noqa: BLE001 - a foreign file may raise anything
            raise StageUnavailable(f"{self._path} is not a network that answers masks: {problem}") from None
        return mask, time.process_time() - begin

    def _try_bfloat16(self, exact: Engine, mask: Float, took_s: float) -> tuple[PrecisionChoice, Engine]:
        """Run the probe scene in bfloat16, too; return the choice, and the engine that is kept."""
        try:
            half = self._open("bfloat16")
            half_mask, half_s = self._run_probe(half)
        except StageUnavailable as problem:
            return PrecisionChoice("float32", f"bfloat16 failed: {problem.message}", warns=True), exact
        choice = choose_precision(mask, half_mask, took_s, half_s, by_mean=self._precision == "bfloat16")
        return choice, half if choice.dtype == "bfloat16" else exact

    def segment(self, rgb: RGB) -> RawMask:
        """Return what the network says of an (H, W, 3) photo."""
        if self._engine is None:
            self.load()
        assert self._engine is not None
        small = self._run(self._engine, rgb)
        height, width = rgb.shape[:2]
        score = min(max(float(small.max()), 0.0), 1.0)
        full = Image.fromarray(small).resize((width, height), Image.Resampling.LANCZOS)
        return RawMask(np.clip(np.asarray(full, dtype=np.float32), 0.0, 1.0), score, small)

    def _run(self, engine: Engine, rgb: RGB) -> Float:
        side = engine.side_px or self._wants.side_px
        photo = prepare(rgb, replace(self._wants, side_px=side))
        answer = engine.run(photo) if self._batcher is None else self._batcher.ask(photo)[None]
        if answer.ndim != 4 and not (answer.ndim == 3 and len(answer) == 1):
            raise Internal(f"{self.name} answers an array of shape {answer.shape}; wanted (1, 1, H, W) or (1, H, W)")
        mask = answer[0, 0] if answer.ndim == 4 else answer[0]
        if self._wants.sigmoid:
            mask = 1.0 / (1.0 + np.exp(-mask))
        if not np.isfinite(mask).all():
            raise Internal(f"{self.name} answered values that are not finite")
        return np.asarray(mask, dtype=np.float32)


def prepare(rgb: RGB, wants: NetworkInput) -> Float:
    """Return an (H, W, 3) photo as the (1, 3, side, side) float32 that the network takes."""
    side = wants.side_px
    small = np.asarray(Image.fromarray(rgb).resize((side, side), Image.Resampling.LANCZOS))
    levels = np.arange(256) / max(float(small.max()), _LEAST_MAXIMUM)
    prepared = np.empty((1, 3, side, side), np.float32)
    for channel, plane in enumerate(cv2.split(small)):  # 256 values are normalised once, not each pixel
        table = (levels - wants.mean[channel]) / wants.std[channel]
        prepared[0, channel] = cv2.LUT(plane, table.astype(np.float32))
    return prepared
