"""Which errors mean that memory ran out."""

from __future__ import annotations

import pytest

from services.common.backends.out_of_memory import is_out_of_memory

CUDA = (
    "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Non-zero status code returned while running MatMul node. "
    "Status Message: bfc_arena.cc:376 Failed to allocate memory for requested buffer of size 9439232"
)


@pytest.mark.parametrize(
    "words",
    [
        CUDA,
        "CUDA failure 2: out of memory",
        "CUDNN_STATUS_ALLOC_FAILED",
        "CUBLAS_STATUS_ALLOC_FAILED",
        "bad allocation",
    ],
)
def test_engines_words_for_it_are_known(words: str) -> None:
    assert is_out_of_memory(RuntimeError(words))


def test_an_error_about_something_else_is_not_taken_for_it() -> None:
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("invalid shape"))


def test_torchs_own_error_is_known_by_its_name() -> None:
    assert is_out_of_memory(type("OutOfMemoryError", (RuntimeError,), {})("tried to allocate 2 GiB"))
