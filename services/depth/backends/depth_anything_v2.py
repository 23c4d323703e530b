"""Depth-Anything-V2 as a backend: our own network, the official weights, OpenVINO on a CPU, torch on a GPU.

    depth-anything-v2:vits[?size=518&dtype=auto&engine=auto&device=auto&weights=/path]

`size` is the network's short side (more is finer and slower). `engine`, `device` and `dtype` are those of
`engine_choice`: what is faster than float32 is taken only if a trial shows that the map stays the same to 1 % of its
range. `weights` is a file outside the model store, the official `.pth` or a transformers safetensors file.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from services.common.arrays import RGB, Float, InverseDepth
from services.common.backends.backend_catalogue import Resources
from services.common.backends.backend_spec import BackendSpec
from services.common.backends.batching import Batcher, BatchOptions
from services.common.errors import StageUnavailable
from services.common.models.model_store import StoredModel
from services.depth.backends.base import go_on
from services.depth.backends.engine_choice import EngineOptions, open_engine
from services.depth.backends.retry_smaller import SmallerRetry
from services.depth.depth_anything_v2.config import CONFIGS
from services.depth.depth_anything_v2.openvino_engine import Engine
from services.depth.depth_anything_v2.preprocess import INPUT_PX, network_size, read_size, to_network, to_photo
from services.depth.depth_anything_v2.weights import read_weights

DEPTH_ANYTHING = "depth-anything-v2"  # the family, as backends and the model store name it


def open_depth_anything(size: str, spec: BackendSpec, resources: Resources) -> DepthAnythingBackend:
    """Return the backend for `size` (vits, vitb, vitl), not yet loaded.

    Raises:
        InvalidOption: an option is unknown or wrong.
        StageUnavailable: the weights are not here.
    """
    spec.refuse_unknown("size", "dtype", "engine", "device", "weights")
    named = {key: spec.options[key] for key in ("engine", "device", "dtype") if key in spec.options}
    wanted = EngineOptions(**named, threads=resources.threads)
    size_px = read_size(spec, INPUT_PX)
    return DepthAnythingBackend(size, _find_weights(size, spec, resources), wanted, size_px, resources.batching)


def _find_weights(size: str, spec: BackendSpec, resources: Resources) -> StoredModel:
    if "weights" not in spec.options:
        return resources.weights(f"{DEPTH_ANYTHING}-{size}")
    path = Path(spec.options["weights"])
    if not path.is_file():
        raise StageUnavailable(f"there are no weights at {path}")
    return StoredModel.own_file(path)


class DepthAnythingBackend:
    """Depth-Anything-V2 in one size; see `Backend` for the contract.

    Args:
        size: a key of `CONFIGS`.
        weights: its checkpoint.
        options: engine, device and arithmetic.
        size_px: short side of the network's input, a multiple of 14.
        batching: how concurrent calls share a run; None runs them one by one.
    """

    def __init__(
        self,
        size: str,
        weights: StoredModel,
        options: EngineOptions,
        size_px: int = INPUT_PX,
        batching: BatchOptions | None = None,
    ) -> None:
        self.name = f"{DEPTH_ANYTHING}:{size}"
        self.digest = weights.sha256
        self.licence = weights.licence
        self._config = CONFIGS[size]
        self._path = weights.path
        self._options = options
        self._size_px = size_px
        self._batching = batching
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._batcher: Batcher[Float, Float] | None = None
        self._retry = SmallerRetry()
        self.notes: tuple[str, ...] = ()

    @property
    def device(self) -> str:
        """What the network runs on; what was asked for until `load` has decided."""
        return self._engine.device if self._engine else self._options.device

    @property
    def dtype(self) -> str:
        """`float32`, `bfloat16` or `float16`; what was asked for until `load` has decided."""
        return self._engine.dtype if self._engine else self._options.dtype

    def load(self) -> None:
        """Read the weights, choose engine and arithmetic by a trial, and run once.

        Raises:
            StageUnavailable: a library or device is missing, or the file holds other weights.
        """
        with self._lock:
            if self._engine is not None:
                return
            self._engine, self.notes = self._open(self._options)
            if self._batching is not None:
                self._batcher = Batcher(self._run, self._batching.on(self.device))

    def estimate(self, rgb: RGB, check: Callable[[], None] = go_on) -> InverseDepth:
        """Return (H, W) float32 inverse depth of an (H, W, 3) uint8 photo, 0 and up, larger is nearer."""
        if self._engine is None:
            self.load()
        height, width = rgb.shape[:2]
        wanted = network_size(width, height, self._size_px)
        values = self._retry.run(
            lambda size: self._infer(to_network(rgb, size.width_px, size.height_px), check), wanted, self.device
        )
        return to_photo(values, width, height)

    def size_notes(self, width_px: int, height_px: int) -> tuple[str, ...]:
        """Say when a photo is too long or too large for the full resolution."""
        size = network_size(width_px, height_px, self._size_px)
        said = self._retry.note(size, self.device) or size.note
        return (said,) if said else ()

    def _open(self, options: EngineOptions) -> tuple[Engine, tuple[str, ...]]:
        try:
            return open_engine(read_weights(self._path, self._config), self._config, options)
        except StageUnavailable as problem:
            raise StageUnavailable(f"{self.name} ({self._path}): {problem.message}") from problem

    def _infer(self, picture: Float, check: Callable[[], None]) -> Float:
        """Return a finite map (h, w); where a short format overflows, it is given up for good."""
        values = self._ask(picture, check)
        if not np.isfinite(values).all() and self.dtype != "float32":
            self._give_up(self.dtype)
            values = self._ask(picture, check)
        if not np.isfinite(values).all():
            raise StageUnavailable(f"{self.name} answered values that are not finite")
        return values

    def _ask(self, picture: Float, check: Callable[[], None]) -> Float:
        if self._batcher is not None:
            return self._batcher.ask(picture, picture.shape, check)
        return self._run([picture])[0]

    def _run(self, pictures: list[Float]) -> list[Float]:
        assert self._engine is not None
        return list(self._engine.infer(pictures[0] if len(pictures) == 1 else np.concatenate(pictures)))

    def _give_up(self, dtype: str) -> None:
        with self._lock:
            if self.dtype != dtype:
                return  # another call was first
            self._engine, _ = self._open(replace(self._options, dtype="float32"))
            self.notes = (f"{dtype} answered values that are not finite, so depth runs in float32 from now on",)
