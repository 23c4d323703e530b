"""Which depth backends there are, and how a name becomes one.

auto                                        Depth-Anything-V2 Small where its weights and OpenVINO or torch are here
depth-anything-v2:vits|vitb|vitl[?options]  the official weights in the model store, run by OpenVINO, or torch on a GPU
onnx:/path/to/model.onnx[?options]          any single-image depth network, run by ONNX Runtime
none                                        depth is switched off
"""

from __future__ import annotations

import difflib
import importlib.util
from pathlib import Path

from services.common.backends.backend_spec import read_options
from services.common.errors import InvalidOption, StageUnavailable
from services.common.models.model_store import FindModel
from services.depth.backends.base import Backend, Batching
from services.depth.backends.depth_anything_v2 import DEPTH_ANYTHING, open_depth_anything
from services.depth.backends.onnx import OnnxBackend, OnnxOptions

SIZES = ("vits", "vitb", "vitl")
NAMES = ("auto", "none", *(f"{DEPTH_ANYTHING}:{size}" for size in SIZES), "onnx:/path/to/model.onnx")


def open_backend(name: str, find_model: FindModel, threads: int, batching: Batching | None = None) -> Backend:
    """Return the backend that `name` means, not yet loaded.

    Args:
        name: see the head of this module.
        find_model: answers a name of the model store with its file, or None where it is not here.
        threads: CPU threads for one estimate; 0 leaves the choice to the engine.
        batching: how concurrent calls share a run of the network; None runs them one by one.
    Raises:
        InvalidOption: no backend has this name, or one of its options is wrong.
        StageUnavailable: depth is switched off, or weights or libraries are missing.
    """
    head, _, query = name.partition("?")
    kind, _, target = head.partition(":")
    if head == "none":
        raise StageUnavailable("depth is switched off")
    if head == "auto":
        return _open_auto(query, find_model, threads, batching)
    if kind == "onnx" and target:
        return OnnxBackend(Path(target), OnnxOptions.parse(read_options(name, query)), threads, batching)
    if kind == DEPTH_ANYTHING and target in SIZES:
        return open_depth_anything(target, read_options(name, query), find_model, threads, batching)
    near = difflib.get_close_matches(name, NAMES, n=3, cutoff=0.5) or NAMES
    raise InvalidOption(f"there is no depth backend {name!r}; near names are {', '.join(near)}", field="backend")


def _open_auto(query: str, find_model: FindModel, threads: int, batching: Batching | None) -> Backend:
    weights = f"{DEPTH_ANYTHING}-vits"
    if find_model(weights) is None:
        raise StageUnavailable(f"no depth network is here; get one with `unflat models pull {weights}`")
    if not any(importlib.util.find_spec(library) for library in ("openvino", "torch")):
        raise StageUnavailable(
            f"the weights of {weights} are here but OpenVINO, which runs them, is not; "
            "install it with `pip install 'unflat[depth]'`"
        )
    return open_backend(f"{DEPTH_ANYTHING}:vits" + (f"?{query}" if query else ""), find_model, threads, batching)
