"""Depth-Anything-V2 as a backend: our own network, the official weights, OpenVINO, no torch.

    depth-anything-v2:vits[?size=518&dtype=auto&weights=/path]

`size` is the network's short side (more is finer and slower). `dtype` is float32, bfloat16 or auto (bfloat16
where the CPU has it). bfloat16 is taken only if a trial shows that the map stays the same to 1 % of its range, else
float32. `weights` is a file outside the model store, the official `.pth` or a transformers safetensors file.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from services.common.arrays import RGB, Float, InverseDepth
from services.common.errors import InvalidOption, StageUnavailable
from services.common.models.name_options import refuse_unknown
from services.common.models.store import FindModel, StoredModel
from services.depth.backends.name_options import parse_size
from services.depth.depth_anything_v2.config import CONFIGS
from services.depth.depth_anything_v2.engine import Engine, has_bfloat16
from services.depth.depth_anything_v2.graph import build_graphs
from services.depth.depth_anything_v2.preprocess import INPUT_PX, network_size, to_network, to_photo
from services.depth.depth_anything_v2.weights import read_weights

DEPTH_ANYTHING = "depth-anything-v2"  # the family, as backends and the model store name it
DTYPES = ("auto", "float32", "bfloat16")
MAX_ERROR = 0.01  # of the float32 map's range: more than that and bfloat16 is not taken


@dataclass(frozen=True)
class DepthAnythingOptions:
    """How the network is run.

    Args:
        size_px: short side of the network's input, a multiple of 14.
        dtype: one of `DTYPES`.
    """

    size_px: int = INPUT_PX
    dtype: str = "auto"


def open_depth_anything(
    size: str, options: dict[str, str], find_model: FindModel, threads: int
) -> DepthAnythingBackend:
    """Return the backend for `size` (vits, vitb, vitl), not yet loaded.

    Raises:
        InvalidOption: an option is unknown or wrong.
        StageUnavailable: the weights are not here.
    """
    refuse_unknown(options, ("size", "dtype", "weights"))
    dtype = options.get("dtype", "auto")
    if dtype not in DTYPES:
        raise InvalidOption(f"dtype={dtype} is none of {', '.join(DTYPES)}", field="backend")
    size_px = parse_size(options["size"]) if "size" in options else INPUT_PX
    return DepthAnythingBackend(
        size, _find_weights(size, options, find_model), DepthAnythingOptions(size_px, dtype), threads
    )


def _find_weights(size: str, options: dict[str, str], find_model: FindModel) -> StoredModel:
    if "weights" in options:
        path = Path(options["weights"])
        if not path.is_file():
            raise StageUnavailable(f"there are no weights at {path}")
        return StoredModel.own_file(path)
    model = find_model(f"{DEPTH_ANYTHING}-{size}")
    if model is None:
        raise StageUnavailable(
            f"the weights of {DEPTH_ANYTHING}:{size} are not here; "
            f"get them with `unflat models pull {DEPTH_ANYTHING}-{size}`"
        )
    return model


class DepthAnythingBackend:
    """Depth-Anything-V2 in one size; see `Backend` for the contract.

    Args:
        size: a key of `CONFIGS`.
        weights: its checkpoint.
        options: resolution and arithmetic.
        threads: for one estimate; 0 leaves the choice to OpenVINO.
    """

    device = "cpu"

    def __init__(self, size: str, weights: StoredModel, options: DepthAnythingOptions, threads: int) -> None:
        self.name = f"{DEPTH_ANYTHING}:{size}"
        self.digest = weights.sha256
        self.licence = weights.licence
        self._config = CONFIGS[size]
        self._path = weights.path
        self._options = options
        self._threads = threads
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._fallback = ""

    @property
    def dtype(self) -> str:
        """`float32` or `bfloat16`; what was asked for until `load` has decided."""
        return self._engine.dtype if self._engine else self._options.dtype

    def load(self) -> None:
        """Read the weights, compile the network, try it on a synthetic picture and settle the arithmetic.

        Raises:
            StageUnavailable: OpenVINO is missing, or the file holds other weights.
        """
        with self._lock:
            if self._engine is None:
                self._engine = self._open()

    def estimate(self, rgb: RGB) -> InverseDepth:
        """Return (H, W) float32 inverse depth of an (H, W, 3) uint8 photo, 0 and up, larger is nearer."""
        if self._engine is None:
            self.load()
        assert self._engine is not None
        height, width = rgb.shape[:2]
        size = network_size(width, height, self._options.size_px)
        values = self._engine.infer(to_network(rgb, size.width_px, size.height_px))
        if not np.isfinite(values).all():
            raise StageUnavailable(f"{self.name} answered values that are not finite")
        return to_photo(values, width, height)

    def note(self, width_px: int, height_px: int) -> str:
        """Say when a photo is too long for the full resolution, and why float32 runs where bfloat16 was to."""
        said = (network_size(width_px, height_px, self._options.size_px).note, self._fallback)
        return "; ".join(sentence for sentence in said if sentence)

    def _open(self) -> Engine:
        try:
            import openvino as _openvino  # noqa: F401
        except ImportError:
            raise StageUnavailable(
                f"{self.name} needs OpenVINO; install it with `pip install 'unflat[depth]'`"
            ) from None
        graphs = build_graphs(read_weights(self._path, self._config), self._config)
        exact = Engine(graphs, self._threads)
        reference = exact.infer(probe())
        if not np.isfinite(reference).all() or np.ptp(reference) == 0:
            raise StageUnavailable(f"{self._path} answers a flat map on a trial picture; its numbers are damaged")
        wanted = self._options.dtype
        if wanted == "float32" or (wanted == "auto" and not has_bfloat16()):
            return exact
        fast = Engine(graphs, self._threads, "bfloat16")
        error = error_share(fast.infer(probe()), reference)
        if error <= MAX_ERROR:  # False for NaN
            return fast
        self._fallback = (
            f"bfloat16 would change a trial map by {error:.1%} of its range (at most {MAX_ERROR:.0%} is allowed), "
            "so depth runs in float32, which is slower"
        )
        return exact


def error_share(fast: Float, exact: Float) -> float:
    """Return how far one map is from the other at its worst pixel, as a share of the exact one's range."""
    return float(np.abs(fast - exact).max() / np.ptp(exact))


def probe() -> Float:
    """Return a synthetic picture as network input: (1, 3, 266, 350), discs of many sizes on a ramp, no texture."""
    height, width = 266, 350
    y, x = np.mgrid[:height, :width].astype(np.float64)
    rgb = np.stack([255 * y / height, 255 * x / width, np.full_like(x, 96.0)], axis=-1)
    for i in range(12):
        centre_x, centre_y, radius = 29 * i % width, 97 * i % height, 8 + 5 * i
        inside = (x - centre_x) ** 2 + (y - centre_y) ** 2 <= radius**2
        rgb[inside] = [(70 * i) % 256, (131 * i) % 256, (193 * i) % 256]
    return to_network(rgb.astype(np.uint8), width, height)
