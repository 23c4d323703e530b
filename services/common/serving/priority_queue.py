"""Who waits for a turn: interactive calls before batch calls, each kind first come, first served.

Neither queue.PriorityQueue nor asyncio's can tell who is next without taking him out, nor let one leave who gave up.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

from services.common.serving.priority import Priority

T = TypeVar("T")

BATCH_SHARE = 0.5  # of the queue: the rest stays free for whoever waits at a screen


class PriorityQueue(Generic[T]):
    """Tickets in the order of their turns.

    Args:
        limit: tickets that may wait.

    >>> queue = PriorityQueue[str](limit=8)
    >>> queue.join("a folder", "batch")
    >>> queue.join("a person", "interactive")
    >>> queue.first(), queue.ahead_of("batch")
    ('a person', 2)
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._tickets: dict[Priority, deque[T]] = {"interactive": deque(), "batch": deque()}

    def __len__(self) -> int:
        """Return how many wait."""
        return sum(len(tickets) for tickets in self._tickets.values())

    def is_full(self, priority: Priority) -> bool:
        """Tell whether one more call of `priority` is too many."""
        batch_limit = max(int(self._limit * BATCH_SHARE), min(self._limit, 1))
        return len(self) >= self._limit or (priority == "batch" and len(self._tickets["batch"]) >= batch_limit)

    def ahead_of(self, priority: Priority) -> int:
        """Return how many would have their turn before a call of `priority` that came now."""
        return len(self._tickets["interactive"]) if priority == "interactive" else len(self)

    def join(self, ticket: T, priority: Priority) -> None:
        """Wait behind those of the same priority."""
        self._tickets[priority].append(ticket)

    def first(self) -> T:
        """Return whose turn is next; somebody must be waiting."""
        return (self._tickets["interactive"] or self._tickets["batch"])[0]

    def pop(self) -> T:
        """Return whose turn is next, who waits no longer."""
        return (self._tickets["interactive"] or self._tickets["batch"]).popleft()

    def leave(self, ticket: T, priority: Priority) -> None:
        """Wait no longer; nothing happens where it does not wait."""
        if ticket in self._tickets[priority]:
            self._tickets[priority].remove(ticket)
