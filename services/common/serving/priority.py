"""Who goes first: somebody at a screen before somebody's folder of photos.

Travels as gRPC metadata from the caller through the orchestrator to every stage, whose queues honour it.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any, Literal

Priority = Literal["interactive", "batch"]

PRIORITY_KEY = "x-unflat-priority"
_current: ContextVar[Priority] = ContextVar("priority", default="interactive")


def read_priority(metadata: Iterable[Any] | None) -> Priority:
    """Return what a call's metadata says; whatever is not batch is interactive.

    >>> read_priority([("x-unflat-priority", "batch")]), read_priority(None)
    ('batch', 'interactive')
    """
    said = next((str(value) for key, value in metadata or () if key == PRIORITY_KEY), "")
    return "batch" if said == "batch" else "interactive"


def bind_priority(priority: Priority) -> None:
    """Let this task, and what it starts, go on with `priority`."""
    _current.set(priority)


def priority_metadata() -> tuple[tuple[str, str], ...]:
    """Return the metadata that takes the current priority along."""
    return ((PRIORITY_KEY, _current.get()),)
