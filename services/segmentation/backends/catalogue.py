"""Which segmentation backends there are. A new one is a row here.

    auto                                 ISNet where its weights and an engine are here, else grabcut
    rembg:<model>                        one of rembg's model families, from the model store
    rembg:custom=/path/model.onnx        a network trained like U²-Net, of your own
    onnx:/path/model.onnx?side=…&mean=a,b,c&std=a,b,c&sigmoid=yes   any other
    grabcut                              embedded: no weights

Figures of the families: rembg 2.0.86's sessions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from services.common.backends.backend_catalogue import Catalogue, Resources, Row
from services.common.backends.backend_spec import BackendSpec
from services.common.errors import StageUnavailable
from services.common.models.model_store import StoredModel
from services.segmentation.backends.base import Backend
from services.segmentation.backends.grabcut import GrabCut
from services.segmentation.backends.onnx_engines import Precision, Provider
from services.segmentation.backends.onnx_network import NetworkInput, OnnxNetwork

_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_HALF, _ONE = (0.5, 0.5, 0.5), (1.0, 1.0, 1.0)
_SIDES_PX = (16, 4096)
_CUSTOM = "rembg:custom="

FAMILIES: dict[str, NetworkInput] = {
    "isnet-general-use": NetworkInput(1024, _HALF, _ONE),
    "u2net": NetworkInput(320, _IMAGENET_MEAN, _IMAGENET_STD),
    "u2netp": NetworkInput(320, _IMAGENET_MEAN, _IMAGENET_STD),
    "silueta": NetworkInput(320, _IMAGENET_MEAN, _IMAGENET_STD),
    "birefnet-general": NetworkInput(1024, _IMAGENET_MEAN, _IMAGENET_STD, sigmoid=True),
    "birefnet-general-lite": NetworkInput(1024, _IMAGENET_MEAN, _IMAGENET_STD, sigmoid=True),
}


@dataclass(frozen=True)
class NetworkResources(Resources):
    """What a segmentation network is opened with.

    Attributes:
        provider: what it runs on.
        require_gpu: refuse anything but a GPU.
        precision: auto lets OpenVINO compute in bfloat16 where that is faster and the mask stays the same.
    """

    provider: Provider = "auto"
    require_gpu: bool = False
    precision: Precision = "auto"


def _open_family(family: str, spec: BackendSpec, resources: NetworkResources) -> OnnxNetwork:
    spec.refuse_unknown()
    weights = resources.weights(family)
    record = weights.path.with_name(f".{weights.path.name}.precision.json")
    return _open_network(f"rembg:{family}", weights, FAMILIES[family], resources, record)


def _open_custom(spec: BackendSpec, resources: NetworkResources) -> OnnxNetwork:
    spec.refuse_unknown()
    weights = StoredModel.own_file(Path(spec.head.removeprefix(_CUSTOM)))
    return _open_network(spec.head, weights, FAMILIES["u2net"], resources)


def _open_onnx(spec: BackendSpec, resources: NetworkResources) -> OnnxNetwork:
    spec.refuse_unknown("side", "mean", "std", "sigmoid")
    wants = NetworkInput(
        side_px=spec.number("side", 1024, *_SIDES_PX),
        mean=spec.triple("mean", _IMAGENET_MEAN),
        std=spec.triple("std", _IMAGENET_STD, positive=True),
        sigmoid=spec.choice("sigmoid", ("yes", "no"), "no") == "yes",
    )
    return _open_network(spec.head, StoredModel.own_file(Path(spec.target)), wants, resources)


def _open_network(
    name: str, weights: StoredModel, wants: NetworkInput, resources: NetworkResources, record: Path | None = None
) -> OnnxNetwork:
    return OnnxNetwork(
        name,
        weights.path,
        wants,
        digest=weights.sha256,
        licence=weights.licence,
        provider=resources.provider,
        require_gpu=resources.require_gpu,
        threads=resources.threads,
        precision=resources.precision,
        record=record,
    )


def _open_grabcut(spec: BackendSpec, resources: NetworkResources) -> GrabCut:
    spec.refuse_unknown()
    if problem := _refuse_gpu(resources):
        raise StageUnavailable(problem)
    return GrabCut()


def _refuse_gpu(resources: NetworkResources) -> str:
    said = "grabcut runs on the CPU alone and a GPU is required; name a network, or leave --require-gpu out"
    return said if resources.require_gpu else ""


_ENGINES = ("openvino", "onnxruntime")
_INSTALL = "'unflat[segmentation]'"

BACKENDS: Catalogue[NetworkResources, Backend] = Catalogue(
    "segmentation",
    (
        *(
            Row(f"rembg:{family}", partial(_open_family, family), family, libraries=_ENGINES, install=_INSTALL)
            for family in FAMILIES
        ),
        Row(_CUSTOM, _open_custom, libraries=_ENGINES, install=_INSTALL),
        Row("onnx:", _open_onnx, libraries=_ENGINES, install=_INSTALL),
        Row("grabcut", _open_grabcut, refuse=_refuse_gpu),
    ),
    auto=("rembg:isnet-general-use", "grabcut"),
)
