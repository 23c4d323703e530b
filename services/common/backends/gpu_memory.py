"""Memory of the GPUs that the driver shows to this process, asked of NVML; no GPU where there is no driver.

NVML is the library behind nvidia-smi. It counts what all processes use: what is left for a model is what matters when
several share a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Gpu:
    """One GPU; its figures are asked for when they are called."""

    index: int
    total_bytes: Callable[[], int]
    used_bytes: Callable[[], int]


def find_gpus() -> list[Gpu]:
    """Return the GPUs of this machine or container."""
    import pynvml

    try:
        pynvml.nvmlInit()
        return [_gpu(pynvml, index) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:  # no driver, or one that does not answer
        return []


def _gpu(nvml: Any, index: int) -> Gpu:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)

    def ask(kind: str) -> int:
        try:
            return int(getattr(nvml.nvmlDeviceGetMemoryInfo(handle), kind))
        except nvml.NVMLError:  # a GPU that fell off
            return 0

    return Gpu(index, lambda: ask("total"), lambda: ask("used"))
