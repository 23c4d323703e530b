"""The network compiled for this machine: pictures in, raw maps out, any size.

One compiled model with free sizes serves them all: one compiled for a single size is 4 % faster (measured), but takes
half a second to compile and holds a copy of the weights of its own.
"""

from __future__ import annotations

import threading
from typing import Literal, Protocol

import numpy as np

from services.common.arrays import Float
from services.common.backends.openvino_cpu import compile_for_cpu
from services.depth.depth_anything_v2.graph import Graphs
from services.depth.depth_anything_v2.positions import PositionTables
from services.depth.depth_anything_v2.preprocess import PATCH_PX

Dtype = Literal["float32", "bfloat16", "float16"]


class Engine(Protocol):
    """Depth-Anything-V2 on some device."""

    @property
    def device(self) -> str:
        """What it runs on: cpu, cuda, cuda:1, mps."""

    @property
    def dtype(self) -> Dtype:
        """Its arithmetic."""

    def infer(self, pictures: Float) -> Float:
        """Return the raw maps of normalised pictures of one size, each as if it were alone. Thread-safe.

        Args:
            pictures: (n, 3, h, w) float32, both sides multiples of 14; see `to_network`.
        Returns:
            (n, h, w) float32, 0 and up, larger is nearer.
        """


class OpenVinoEngine:
    """Depth-Anything-V2 on the CPU by OpenVINO; see `Engine`.

    Args:
        graphs: from `build_graphs`.
        threads: for one run; 0 leaves the choice to OpenVINO.
        dtype: the arithmetic of the encoder, float32 or bfloat16.
        head: the same of the head: a quarter of the time in float32, an eighth in bfloat16, where it makes more than
            half of the error (measured on random weights).
    """

    device = "cpu"

    def __init__(self, graphs: Graphs, threads: int, dtype: Dtype = "float32", head: Dtype = "float32") -> None:
        self.dtype: Dtype = dtype
        self._encoder = compile_for_cpu(graphs.encoder, threads, dtype).create_infer_request()
        self._head = compile_for_cpu(graphs.head, threads, head).create_infer_request()
        self._tables = PositionTables(graphs.table)
        self._lock = threading.Lock()

    def infer(self, pictures: Float) -> Float:
        """Return the raw maps (n, h, w) of pictures (n, 3, h, w)."""
        grid = pictures.shape[2] // PATCH_PX, pictures.shape[3] // PATCH_PX
        with self._lock:
            self._encoder.infer({"picture": pictures, "positions": self._tables.of(grid)})
            tokens = {f"tokens{i}": self._encoder.get_output_tensor(i) for i in range(4)}
            self._head.infer({**tokens, "grid": np.array(grid, dtype=np.int64)})
            return np.array(self._head.get_output_tensor().data[:, 0], dtype=np.float32)
