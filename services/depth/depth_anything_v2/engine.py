"""The network compiled for this machine: pictures in, raw maps out, any size, one at a time.

One compiled model with free sizes serves them all: one compiled for a single size is 3 % faster (measured), but takes
half a second to compile and holds a copy of the weights of its own.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any, Literal

import numpy as np

from services.common.arrays import Float
from services.depth.depth_anything_v2.graph import Graphs
from services.depth.depth_anything_v2.positions import position_table
from services.depth.depth_anything_v2.preprocess import PATCH_PX

Dtype = Literal["float32", "bfloat16"]
_TABLES = 8  # position tables kept; one for 518 x 784 takes 3 MB in vits


class Engine:
    """Depth-Anything-V2 on the CPU by OpenVINO.

    Args:
        graphs: from `build_graphs`.
        threads: for one picture; 0 leaves the choice to OpenVINO.
        dtype: the arithmetic of the encoder. The head stays in float32: a sixth of the time, and more than half of the
            error that bfloat16 makes (measured).
    """

    def __init__(self, graphs: Graphs, threads: int, dtype: Dtype = "float32") -> None:
        self.dtype: Dtype = dtype
        self._encoder = _compile(graphs.encoder, threads, dtype)
        self._head = _compile(graphs.head, threads, "float32")
        self._table = graphs.table
        self._tables: OrderedDict[tuple[int, int], Float] = OrderedDict()
        self._lock = threading.Lock()

    def infer(self, picture: Float) -> Float:
        """Return the raw map of one normalised picture.

        Args:
            picture: (1, 3, h, w) float32, both sides multiples of 14; see `to_network`.
        Returns:
            (h, w) float32, 0 and up, larger is nearer.
        """
        grid = picture.shape[2] // PATCH_PX, picture.shape[3] // PATCH_PX
        with self._lock:
            self._encoder.infer({"picture": picture, "positions": self._positions(grid)})
            tokens = {f"tokens{i}": self._encoder.get_output_tensor(i) for i in range(4)}
            self._head.infer({**tokens, "grid": np.array(grid, dtype=np.int64)})
            return np.array(self._head.get_output_tensor().data[0, 0], dtype=np.float32)

    def _positions(self, grid: tuple[int, int]) -> Float:
        if grid not in self._tables:
            self._tables[grid] = position_table(self._table, *grid)
            if len(self._tables) > _TABLES:
                self._tables.popitem(last=False)
        self._tables.move_to_end(grid)
        return self._tables[grid]


def _compile(graph: Any, threads: int, dtype: Dtype) -> Any:
    """Return an openvino.InferRequest that uses all `threads` for one picture."""
    import openvino as ov

    settings: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": ov.Type.bf16 if dtype == "bfloat16" else ov.Type.f32,
    }
    if threads:
        settings["INFERENCE_NUM_THREADS"] = threads
    return ov.Core().compile_model(graph, "CPU", settings).create_infer_request()


def has_bfloat16() -> bool:
    """Tell whether this CPU multiplies bfloat16 natively (AVX512-BF16 or AMX)."""
    import openvino as ov

    return "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
