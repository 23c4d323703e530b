"""Which depth backends there are. A new one is a row here.

auto                                        Depth-Anything-V2 Small where its weights and an engine are here
depth-anything-v2:vits|vitb|vitl[?options]  the official weights, run by OpenVINO, or torch on a GPU
onnx:/path/to/model.onnx[?options]          any single-image depth network, run by ONNX Runtime
none                                        depth is switched off
"""

from __future__ import annotations

from functools import partial
from typing import NoReturn

from services.common.backends.backend_catalogue import Catalogue, Resources, Row
from services.common.backends.backend_spec import BackendSpec
from services.common.errors import StageUnavailable
from services.depth.backends.base import Backend
from services.depth.backends.depth_anything_v2 import DEPTH_ANYTHING, open_depth_anything
from services.depth.backends.onnx import open_onnx
from services.depth.depth_anything_v2.config import CONFIGS


def _open_none(spec: BackendSpec, resources: Resources) -> NoReturn:
    del spec, resources
    raise StageUnavailable("depth is switched off")


_INSTALL = "'unflat[depth]'"

BACKENDS: Catalogue[Resources, Backend] = Catalogue(
    "depth",
    (
        *(
            Row(
                f"{DEPTH_ANYTHING}:{size}",
                partial(open_depth_anything, size),
                f"{DEPTH_ANYTHING}-{size}",
                libraries=("openvino", "torch"),
                install=_INSTALL,
                batches=True,
            )
            for size in CONFIGS
        ),
        Row("onnx:", open_onnx, libraries=("onnxruntime",), install=_INSTALL, batches=True),
        Row("none", _open_none),
    ),
    # Not the larger sizes: their weights may not be used commercially.
    auto=(f"{DEPTH_ANYTHING}:vits",),
)
