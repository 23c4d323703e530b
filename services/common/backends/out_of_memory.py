"""Which errors mean that memory ran out. Engines have no error in common for it, so it is told by their words."""

from __future__ import annotations

import re

_WORDS = re.compile(
    r"out of memory|out_of_memory|failed to allocate|bad allocation|bad_alloc|alloc_failed|not enough memory",
    re.IGNORECASE,
)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether `error` means that memory ran out: torch, CUDA, cuDNN and cuBLAS, ONNX Runtime's arena, the heap.

    >>> is_out_of_memory(RuntimeError("CUDA failure 2: out of memory"))
    True
    >>> is_out_of_memory(RuntimeError("invalid shape"))
    False
    """
    # torch's own, told by name so that torch is not imported here
    named = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return named or bool(_WORDS.search(str(error)))
