"""Memory that ran out, on a GPU above all: told by its words, since engines have no error of its own for it."""

from __future__ import annotations

import re

from services.depth.depth_anything_v2.preprocess import PATCH_PX, NetworkSize

_WORDS = re.compile(
    r"out of memory|out_of_memory|failed to allocate|bad allocation|bad_alloc|alloc_failed|not enough memory",
    re.IGNORECASE,
)
_SHRINK = 0.6  # of each side: a third of the patches, and attention holds an eighth of the memory


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether `error` means that memory ran out (CUDA, cuDNN and cuBLAS, ONNX Runtime's arena, the heap)."""
    return isinstance(error, MemoryError) or bool(_WORDS.search(str(error)))


def smaller(size: NetworkSize) -> NetworkSize:
    """Return the size for the one retry, about 0.6 of each side and never less than a patch."""
    columns, rows = (max(1, int(side * _SHRINK)) for side in (size.width_px // PATCH_PX, size.height_px // PATCH_PX))
    return NetworkSize(columns * PATCH_PX, rows * PATCH_PX, bounded=True)
