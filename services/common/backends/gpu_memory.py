"""Memory of the GPUs that the driver shows to this process, asked of NVML; no GPU where there is no driver.

NVML is the library behind nvidia-smi and comes with the driver, so nothing needs to be installed. It counts what all
processes use: what is left for a model is what matters when several share a GPU.
Source: NVML API Reference, nvmlDeviceGetMemoryInfo.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_LIBRARY = "libnvidia-ml.so.1"
_OK = 0


class _Memory(ctypes.Structure):
    """nvmlMemory_t, in bytes."""

    _fields_ = [("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong)]


@dataclass(frozen=True)
class Gpu:
    """One GPU; its figures are asked for when they are called."""

    index: int
    total_bytes: Callable[[], int]
    used_bytes: Callable[[], int]


def find_gpus(load: Callable[[str], Any] = ctypes.CDLL) -> list[Gpu]:
    """Return the GPUs of this machine or container.

    Args:
        load: opens the driver's library by name, or raises OSError.
    """
    try:
        nvml = load(_LIBRARY)
        count = ctypes.c_uint()
        if nvml.nvmlInit_v2() != _OK or nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) != _OK:
            return []
        return [_gpu(nvml, index) for index in range(count.value)]
    except (OSError, AttributeError):  # no driver, or one so old that it lacks these names
        return []


def _gpu(nvml: Any, index: int) -> Gpu:
    handle = ctypes.c_void_p()
    found = nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle)) == _OK

    def ask() -> _Memory:
        memory = _Memory()
        if found:
            nvml.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory))  # zeros where it fails: a GPU that fell off
        return memory

    return Gpu(index, lambda: int(ask().total), lambda: int(ask().used))
