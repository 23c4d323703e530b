"""Measuring: medians with their spread, never a single run."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Spread:
    """Seconds over several runs.

    Attributes:
        median: the figure to quote.
        low: 10th percentile.
        high: 90th percentile.
    """

    median: float
    low: float
    high: float

    def ms(self) -> str:
        """Return `median (low–high)` in milliseconds."""
        return f"{self.median * 1e3:.1f} ({self.low * 1e3:.1f}–{self.high * 1e3:.1f})"


def spread(seconds: list[float]) -> Spread:
    """Return median, 10th and 90th percentile of at least one measurement."""
    low, median, high = np.percentile(seconds, [10, 50, 90])
    return Spread(float(median), float(low), float(high))


def measure(function: Callable[[], object], runs: int, warm_up: int = 1) -> Spread:
    """Call `function` `runs` times after `warm_up` calls that do not count."""
    for _ in range(warm_up):
        function()
    seconds = []
    for _ in range(runs):
        begin = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - begin)
    return spread(seconds)


def describe_machine() -> str:
    """Return processor, cores, system and load in one line."""
    model = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    except OSError:
        pass  # not Linux: the platform's own word has to do
    load = f", load {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}{load}"


def device_name(device: str) -> str:
    """Return what a device of torch is called by its maker; `device` itself where that is the CPU."""
    if not device.startswith("cuda"):
        return device
    import torch

    return str(torch.cuda.get_device_name())
