"""The driver's figures, from a library that stands in for NVML."""

from __future__ import annotations

from typing import Any

from services.common.backends.gpu_memory import find_gpus

GIB = 1 << 30


class _Nvml:
    """Two GPUs of 80 GiB; `used` is what is used of each."""

    def __init__(self, answer: int = 0) -> None:
        self.used = [10 * GIB, 0]
        self._answer = answer

    def nvmlInit_v2(self) -> int:
        return self._answer

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:
        count._obj.value = len(self.used)
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index: int, handle: Any) -> int:
        handle._obj.value = index + 1
        return 0

    def nvmlDeviceGetMemoryInfo(self, handle: Any, memory: Any) -> int:
        memory._obj.total = 80 * GIB
        memory._obj.used = self.used[handle.value - 1]
        return 0


def _no_driver(name: str) -> Any:
    raise OSError(name)


def test_a_machine_without_a_driver_has_no_gpus():
    assert find_gpus(_no_driver) == []


def test_a_driver_that_does_not_start_has_no_gpus():
    assert find_gpus(lambda _: _Nvml(answer=9)) == []


def test_a_library_of_another_age_has_no_gpus():
    assert find_gpus(lambda _: object()) == []


def test_memory_is_asked_for_when_it_is_read():
    nvml = _Nvml()
    gpus = find_gpus(lambda _: nvml)
    assert [(gpu.index, gpu.total_bytes(), gpu.used_bytes()) for gpu in gpus] == [
        (0, 80 * GIB, 10 * GIB),
        (1, 80 * GIB, 0),
    ]
    nvml.used[1] = 3 * GIB
    assert gpus[1].used_bytes() == 3 * GIB
