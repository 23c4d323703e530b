"""What a depth backend is, and how a name becomes one.

    auto                                        Depth-Anything-V2 Small where its weights and OpenVINO are here
    depth-anything-v2:vits|vitb|vitl[?options]  the official weights in the model store, run by OpenVINO
    onnx:/path/to/model.onnx[?options]          any single-image depth network, run by ONNX Runtime
    none                                        depth is switched off

Convention: every backend answers relative inverse depth: larger is nearer, float32, no unit, scale and shift unknown
and different from picture to picture.
"""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl

from services.common.arrays import RGB, InverseDepth
from services.common.errors import InvalidOption, StageUnavailable
from services.depth.depth_anything_v2.preprocess import INPUT_PX, PATCH_PX

DEPTH_ANYTHING = "depth-anything-v2"
SIZES = ("vits", "vitb", "vitl")
NAMES = ("auto", "none", *(f"{DEPTH_ANYTHING}:{size}" for size in SIZES), "onnx:/path/to/model.onnx")


@dataclass(frozen=True)
class ModelFile:
    """Weights that are here: the file, its hash, and what its weights may be used for."""

    path: Path
    sha256: str
    licence: str


class Backend(Protocol):
    """A depth network. The properties tell what really runs, and are final once `load` has returned."""

    @property
    def name(self) -> str:
        """The full name, never `auto`."""

    @property
    def device(self) -> str:
        """`cpu` or `cuda`."""

    @property
    def dtype(self) -> str:
        """The arithmetic of the network: `float32`, `bfloat16` or `float16`."""

    @property
    def digest(self) -> str:
        """sha256 of the weights."""

    @property
    def licence(self) -> str:
        """The licence of the weights."""

    def load(self) -> None:
        """Load the network and run it once on a synthetic picture; a second call does nothing. Thread-safe.

        Raises:
            StageUnavailable: a library or file is missing, or the file is not what it should be.
        """

    def estimate(self, rgb: RGB) -> InverseDepth:
        """Return (H, W) float32 raw values at the size of `rgb`, larger is nearer. Thread-safe; needs `load` first."""

    def note(self, width_px: int, height_px: int) -> str:
        """Return one sentence about what is special at this photo size, or an empty string."""


def open_backend(name: str, find_model: Callable[[str], ModelFile | None], threads: int) -> Backend:
    """Return the backend that `name` means, not yet loaded.

    Args:
        name: see the head of this module.
        find_model: answers a name of the model store with its file, or None where it is not here.
        threads: CPU threads for one estimate; 0 leaves the choice to the engine.
    Raises:
        InvalidOption: no backend has this name, or one of its options is wrong.
        StageUnavailable: depth is switched off, or weights or libraries are missing.
    """
    head, _, query = name.partition("?")
    kind, _, target = head.partition(":")
    if head == "none":
        raise StageUnavailable("depth is switched off")
    if head == "auto":
        return _open_auto(query, find_model, threads)
    if kind == "onnx" and target:
        from services.depth.backends.onnx import OnnxBackend, OnnxOptions

        return OnnxBackend(Path(target), OnnxOptions.parse(_options(name, query)), threads)
    if kind == DEPTH_ANYTHING and target in SIZES:
        from services.depth.backends.depth_anything_v2 import open_depth_anything

        return open_depth_anything(target, _options(name, query), find_model, threads)
    near = difflib.get_close_matches(name, NAMES, n=3, cutoff=0.5) or NAMES
    raise InvalidOption(f"there is no depth backend {name!r}; near names are {', '.join(near)}", field="backend")


def _open_auto(query: str, find_model: Callable[[str], ModelFile | None], threads: int) -> Backend:
    weights = f"{DEPTH_ANYTHING}-vits"
    if find_model(weights) is None:
        raise StageUnavailable(f"no depth network is here; get one with `unflat models pull {weights}`")
    if importlib.util.find_spec("openvino") is None:
        raise StageUnavailable(
            f"the weights of {weights} are here but OpenVINO, which runs them, is not; "
            "install it with `pip install 'unflat[depth]'`"
        )
    return open_backend(f"{DEPTH_ANYTHING}:vits" + (f"?{query}" if query else ""), find_model, threads)


def _options(name: str, query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise InvalidOption(f"the options of {name!r} are not of the form key=value&key=value") from None
    options = dict(pairs)
    if len(options) < len(pairs):
        raise InvalidOption(f"an option stands twice in {name!r}", field="backend")
    return options


def refuse_unknown(options: dict[str, str], known: tuple[str, ...]) -> None:
    """Raise InvalidOption for the first key of `options` that is not in `known`."""
    for key in options:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
            raise InvalidOption(f"there is no option {key!r} here; the nearest is {near[0]!r}", field="backend")


def parse_size(text: str) -> int:
    """Return a network's short side in pixels.

    Raises:
        InvalidOption: not a multiple of 14 between 14 and 1554.
    """
    size = int(text) if text.isascii() and text.isdigit() else 0
    if size % PATCH_PX or not PATCH_PX <= size <= 3 * INPUT_PX:
        raise InvalidOption(f"size={text} must be a multiple of 14 from 14 to {3 * INPUT_PX}", field="backend")
    return size
