"""The driver's figures, from a stand-in for NVML."""

from __future__ import annotations

from types import SimpleNamespace

import pynvml
import pytest

from services.common.backends.gpu_memory import find_gpus

GIB = 1 << 30


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Two GPUs of 80 GiB; what is used of each. A negative number is a GPU that fell off."""
    used = [10 * GIB, 0]

    def memory(index: int) -> SimpleNamespace:
        if used[index] < 0:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
        return SimpleNamespace(total=80 * GIB, used=used[index])

    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: len(used))
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", lambda index: index)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetMemoryInfo", memory)
    return used


@pytest.mark.parametrize(
    "problem", [pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, pynvml.NVML_ERROR_DRIVER_NOT_LOADED, pynvml.NVML_ERROR_UNKNOWN]
)
def test_without_a_driver_that_answers_there_are_no_gpus(monkeypatch: pytest.MonkeyPatch, problem: int):
    def fail() -> None:
        raise pynvml.NVMLError(problem)

    monkeypatch.setattr(pynvml, "nvmlInit", fail)
    assert find_gpus() == []


def test_a_driver_too_old_to_know_a_function_has_no_gpus(monkeypatch: pytest.MonkeyPatch, used: list[int]):
    def fail() -> int:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_FUNCTION_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", fail)
    assert find_gpus() == []


def test_memory_is_asked_for_when_it_is_read(used: list[int]):
    gpus = find_gpus()
    assert [(gpu.index, gpu.total_bytes(), gpu.used_bytes()) for gpu in gpus] == [
        (0, 80 * GIB, 10 * GIB),
        (1, 80 * GIB, 0),
    ]
    used[1] = 3 * GIB
    assert gpus[1].used_bytes() == 3 * GIB


def test_a_gpu_that_fell_off_shows_nothing(used: list[int]):
    gpus = find_gpus()
    used[0] = -1
    assert gpus[0].used_bytes() == 0
