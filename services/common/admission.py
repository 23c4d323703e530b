"""Admission control: so many calls compute, so many wait their turn in order, the rest is refused at once.

A call whose caller left or whose time ran out while it waited is dropped without having run. `Admission` is for sync
servers, `AioAdmission` for aio ones.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

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
        metrics.show_limits(stage, concurrency, queue)
        self._report()

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
                raise _overloaded(self._stage, self._running, len(self._waiting), self._service_s / self._concurrency)
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


class AioAdmission:
    """The same gate for coroutines; a cancelled waiter leaves the queue by itself.

    Args:
        stage: name for the metrics.
        concurrency: requests on their way side by side.
        queue: requests that may wait; beyond it `Overloaded`.
    """

    def __init__(self, stage: str, concurrency: int, queue: int) -> None:
        self._stage = stage
        self._concurrency = concurrency
        self._queue = queue
        self._free = asyncio.Semaphore(concurrency)
        self._running = 0
        self._waiting = 0
        self._service_s = 1.0
        metrics.show_limits(stage, concurrency, queue)
        self._report()  # zero from the start: to a scaler a series that is not there is a lost Prometheus

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a turn and hold it for the body.

        Raises:
            Overloaded: the queue is full.
        """
        self.refuse_if_full()
        self._waiting += 1
        self._report()
        came = time.monotonic()
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
            self._report()
        metrics.PHASE_SECONDS.labels(self._stage, "queue", "", "", "OK").observe(time.monotonic() - came)
        metrics.ADMITTED.labels(self._stage).inc()
        self._running += 1
        self._report()
        begin = time.monotonic()
        try:
            yield
        finally:
            self._running -= 1
            self._service_s += _SMOOTHING * (time.monotonic() - begin - self._service_s)
            self._free.release()
            self._report()

    def refuse_if_full(self) -> None:
        """Refuse what `slot` would refuse now.

        Raises:
            Overloaded: the queue is full.
        """
        if self._free.locked() and self._waiting >= self._queue:
            raise _overloaded(self._stage, self._running, self._waiting, self._service_s / self._concurrency)

    def _report(self) -> None:
        metrics.IN_FLIGHT.labels(self._stage).set(self._running)
        metrics.QUEUED.labels(self._stage).set(self._waiting)


def _overloaded(stage: str, running: int, waiting: int, turn_s: float) -> Overloaded:
    metrics.SHED.labels(stage).inc()
    retry_s = turn_s * (waiting + 1)
    return Overloaded(
        f"{stage} has {running} calls running and {waiting} waiting, which is its limit; try again in {retry_s:.1f} s",
        retry_after_s=retry_s,
    )
