"""Memory of processes and of GPUs, in megabytes."""

from __future__ import annotations

import resource
from collections.abc import Callable
from multiprocessing import get_context
from typing import TypeVar

import psutil

T = TypeVar("T")


def apart(run: Callable[..., T], *arguments: object) -> T:
    """Call `run` in a fresh process, so that memory is its own."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(run, arguments)


def peak_mb(device: str = "cpu") -> float:
    """Return the largest memory of this process so far; with a CUDA device what torch took of that."""
    if not device.startswith("cuda"):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    import torch

    return float(torch.cuda.max_memory_allocated()) / 2**20


def forget_peak(device: str) -> None:
    """Begin to look for the peak of a CUDA device anew; that of a process stays."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.reset_peak_memory_stats()


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process; 0 where it has gone."""
    try:
        return float(psutil.Process(pid).memory_info().rss) / 1e6
    except psutil.NoSuchProcess:
        return 0.0


def tree_mb(pid: int) -> float:
    """Return the resident memory of a process and its children, e.g. decoders."""
    try:
        children = psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return 0.0
    return resident_mb(pid) + sum(resident_mb(child.pid) for child in children)
