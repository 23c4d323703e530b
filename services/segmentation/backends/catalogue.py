"""Which backends there are, and how a name becomes one.

    auto                                 ISNet where its weights and an engine are here, else grabcut
    grabcut                              embedded: no weights
    rembg:<model>                        one of rembg's model families, from the model store
    rembg:custom=/path/model.onnx        a network trained like U²-Net, of your own
    onnx:/path/model.onnx?side=…&mean=a,b,c&std=a,b,c&sigmoid=yes   any other

Figures of the families: rembg 2.0.86's sessions.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TypeAlias

from services.common.backends.backend_spec import read_options, read_triple, refuse_unknown
from services.common.errors import InvalidOption, ModelMissing, StageUnavailable
from services.common.models.model_store import FindModel, StoredModel
from services.segmentation.backends.base import Backend
from services.segmentation.backends.grabcut import GrabCut
from services.segmentation.backends.onnx_engines import Precision, Provider
from services.segmentation.backends.onnx_network import NetworkInput, OnnxNetwork

_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_HALF, _ONE = (0.5, 0.5, 0.5), (1.0, 1.0, 1.0)

FAMILIES: dict[str, NetworkInput] = {
    "isnet-general-use": NetworkInput(1024, _HALF, _ONE),
    "u2net": NetworkInput(320, _IMAGENET_MEAN, _IMAGENET_STD),
    "u2netp": NetworkInput(320, _IMAGENET_MEAN, _IMAGENET_STD),
    "silueta": NetworkInput(320, _IMAGENET_MEAN, _IMAGENET_STD),
    "birefnet-general": NetworkInput(1024, _IMAGENET_MEAN, _IMAGENET_STD, sigmoid=True),
    "birefnet-general-lite": NetworkInput(1024, _IMAGENET_MEAN, _IMAGENET_STD, sigmoid=True),
}
DEFAULT = "isnet-general-use"
_CUSTOM = "custom="
_SIDES_PX = (16, 4096)
_Open: TypeAlias = Callable[..., OnnxNetwork]


def open_backend(
    name: str,
    find_model: FindModel,
    *,
    provider: Provider = "auto",
    require_gpu: bool = False,
    threads: int = 0,
    precision: Precision = "auto",
) -> Backend:
    """Return the backend that `name` means, not yet loaded.

    Args:
        name: see the head of this module.
        find_model: answers a name of the model store with its file, or None where it is not here.
        provider: what networks run on.
        require_gpu: refuse anything but a GPU.
        threads: of one run; 0 leaves the choice to the engine.
        precision: auto lets OpenVINO compute in bfloat16 where that is faster and the mask stays the same.

    Raises:
        InvalidOption: no backend has this name, or one of its options is wrong.
        ModelMissing: its weights are not here.
        StageUnavailable: it cannot run on the GPU that is required.
    """
    kind, _, target = name.partition(":")
    if name == "grabcut":
        if require_gpu:
            raise StageUnavailable(
                "grabcut runs on the CPU alone and a GPU is required; name a network, or leave --require-gpu out"
            )
        return GrabCut()
    open_network = partial(
        OnnxNetwork, provider=provider, require_gpu=require_gpu, threads=threads, precision=precision
    )
    if name == "auto":
        has_engine = any(importlib.util.find_spec(name) for name in ("openvino", "onnxruntime"))
        model = find_model(DEFAULT) if has_engine else None
        if model is None and not require_gpu:
            return GrabCut()
        kind, target = "rembg", DEFAULT
    if kind == "rembg" and target.startswith(_CUSTOM):
        path, wants = Path(target.removeprefix(_CUSTOM)), FAMILIES["u2net"]
        return _own_file(f"rembg:{target}", path, wants, open_network)
    if kind == "rembg" and target in FAMILIES:
        found = find_model(target)
        if found is None:
            raise ModelMissing(f"the weights of {target} are not here; get them with `unflat models pull {target}`")
        return open_network(
            f"rembg:{target}",
            found.path,
            FAMILIES[target],
            digest=found.sha256,
            licence=found.licence,
            record=found.path.with_name(f".{found.path.name}.precision.json"),
        )
    if kind == "onnx" and target:
        file, _, query = target.partition("?")
        return _own_file(f"onnx:{file}", Path(file), _read_input(name, query), open_network)
    known = ["auto", "grabcut", *(f"rembg:{family}" for family in FAMILIES), "onnx:/path/model.onnx"]
    begun = [full for full in known if name and full.startswith(name)]  # an abbreviation is not close by letters
    near = list(dict.fromkeys([*begun, *get_close_matches(name, known, n=3, cutoff=0.5)])) or known
    raise InvalidOption(f"there is no segmentation backend {name!r}; near names: {', '.join(near)}", field="backend")


def _own_file(name: str, path: Path, wants: NetworkInput, open_network: _Open) -> OnnxNetwork:
    found = StoredModel.own_file(path)
    return open_network(name, path, wants, digest=found.sha256, licence=found.licence)


def _read_input(name: str, query: str) -> NetworkInput:
    options = read_options(name, query)
    refuse_unknown(options, ("side", "mean", "std", "sigmoid"))
    side = options.get("side", "1024")
    if not side.isdecimal() or not _SIDES_PX[0] <= int(side) <= _SIDES_PX[1]:
        raise InvalidOption(f"side is {side!r}; wanted {_SIDES_PX[0]} to {_SIDES_PX[1]} px", field="backend")
    std = read_triple(options, "std", _IMAGENET_STD)
    if min(std) <= 0:
        raise InvalidOption(f"std is {options['std']}; wanted values above 0", field="backend")
    sigmoid = options.get("sigmoid", "no")
    if sigmoid not in ("yes", "no"):
        raise InvalidOption(f"sigmoid is {sigmoid!r}; wanted yes or no", field="backend")
    return NetworkInput(int(side), read_triple(options, "mean", _IMAGENET_MEAN), std, sigmoid == "yes")
