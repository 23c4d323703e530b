"""Memory of processes, in megabytes."""

from __future__ import annotations

import psutil


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
