"""Admission control: so many calls compute, so many wait their turn in order, the rest is refused at once.

A call whose caller left or whose time ran out while it waited is dropped without having run.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from services.common import metrics
from services.common.errors import Overloaded

_LOOK_S = 0.5  # how often a waiting call looks whether its caller is still there
_SMOOTHING = 0.2  # weight of the newest service time in the estimate behind the retry hint


class Admission:
    """A first-come-first-served gate in front of a model.

    Args:
        stage: name for the metrics.
        concurrency: calls that may compute side by side.
        queue: calls that may wait; beyond it `Overloaded`.
    """

    def __init__(self, stage: str, concurrency: int, queue: int) -> None:
        self._stage = stage
        self._concurrency = concurrency
        self._queue = queue
        self._running = 0
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()
        self._service_s = 1.0

    @property
    def running(self) -> int:
        """Calls that compute now."""
        return self._running

    @property
    def waiting(self) -> int:
        """Calls that wait now."""
        return len(self._waiting)

    @contextmanager
    def slot(self, check: Callable[[], None]) -> Iterator[float]:
        """Wait for a turn, hold it for the body, and yield how long the wait was in seconds.

        Args:
            check: raises when the call should not go on (cancelled, expired); called while waiting.

        Raises:
            Overloaded: the queue is full; `retry_after_s` estimates when there is room.
        """
        waited = self._enter(check)
        begin = time.monotonic()
        try:
            yield waited
        finally:
            self._leave(time.monotonic() - begin)

    def wake(self) -> None:
        """Let waiting calls look at once whether they should go on."""
        with self._changed:
            self._changed.notify_all()

    def _enter(self, check: Callable[[], None]) -> float:
        begin = time.monotonic()
        ticket = object()
        with self._changed:
            if self._running >= self._concurrency and len(self._waiting) >= self._queue:
                metrics.SHED.labels(self._stage).inc()
                retry = self._service_s * (len(self._waiting) + 1) / self._concurrency
                raise Overloaded(
                    f"{self._stage} has {self._running} calls running and {len(self._waiting)} waiting, "
                    f"which is its limit; try again in {retry:.1f} s",
                    retry_after_s=retry,
                )
            self._waiting.append(ticket)
            self._report()
            try:
                while self._waiting[0] is not ticket or self._running >= self._concurrency:
                    check()
                    self._changed.wait(_LOOK_S)
                check()
                self._running += 1
            finally:
                self._waiting.remove(ticket)
                self._report()
                self._changed.notify_all()
        metrics.ADMITTED.labels(self._stage).inc()
        return time.monotonic() - begin

    def _leave(self, took_s: float) -> None:
        with self._changed:
            self._running -= 1
            self._service_s += _SMOOTHING * (took_s - self._service_s)
            self._report()
            self._changed.notify_all()

    def _report(self) -> None:
        metrics.IN_FLIGHT.labels(self._stage).set(self._running)
        metrics.QUEUED.labels(self._stage).set(len(self._waiting))
