"""Admission control: so many calls compute, so many wait their turn, the rest is refused at once.

Refused, too, is a call whose turn would come after its deadline: it would only make others wait. A call whose caller
left or whose time ran out while it waited is dropped without having run. `Admission` is for sync servers,
`AioAdmission` for aio ones.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from services.common.errors import DeadlineExceeded, Overloaded
from services.common.serving.priority import Priority
from services.common.serving.priority_queue import PriorityQueue
from services.common.telemetry import metrics

_CHECK_S = 0.5  # how often a waiting call checks whether its caller is still there
_SMOOTHING = 0.2  # weight of the newest service time in the estimate behind hints and refusals


class Admission:
    """A gate in front of a model: interactive before batch, each first come, first served.

    Args:
        stage: name for the metrics.
        concurrency: calls that may compute side by side.
        queue: calls that may wait; beyond it `Overloaded`.
    """

    def __init__(self, stage: str, concurrency: int, queue: int) -> None:
        self._stage = stage
        self._concurrency = concurrency
        self._running = 0
        self._queue: PriorityQueue[object] = PriorityQueue(queue)
        self._changed = threading.Condition()
        self._service_time = _ServiceTime(concurrency)
        metrics.show_limits(stage, concurrency, queue)
        self._report()

    @property
    def running(self) -> int:
        """Calls that compute now."""
        return self._running

    @property
    def waiting(self) -> int:
        """Calls that wait now."""
        return len(self._queue)

    @contextmanager
    def admit(
        self, check: Callable[[], None], priority: Priority = "interactive", budget_s: float = math.inf
    ) -> Iterator[float]:
        """Wait for a turn, hold it for the body, and yield how long the wait was in seconds.

        Args:
            check: raises when the call should not go on (cancelled, expired); called while waiting.
            priority: interactive calls have their turn before batch calls.
            budget_s: what the caller's deadline leaves.

        Raises:
            Overloaded: the queue is full, or the turn would come too late; `retry_after_s` is an estimate.
        """
        waited = self._enter(check, priority, budget_s)
        begin = time.monotonic()
        try:
            yield waited
        finally:
            self._leave(time.monotonic() - begin)

    def wake(self) -> None:
        """Let waiting calls check at once whether they should go on."""
        with self._changed:
            self._changed.notify_all()

    def _enter(self, check: Callable[[], None], priority: Priority, budget_s: float) -> float:
        begin = time.monotonic()
        ticket = object()
        with self._changed:
            if self._running >= self._concurrency:
                _refuse(self._stage, self._queue, priority, budget_s, self._running, self._service_time)
            self._queue.join(ticket, priority)
            self._report()
            try:
                while self._queue.first() is not ticket or self._running >= self._concurrency:
                    check()
                    self._changed.wait(_CHECK_S)
                check()
                self._running += 1
            finally:
                self._queue.leave(ticket, priority)
                self._report()
                self._changed.notify_all()
        metrics.ADMITTED.labels(self._stage).inc()
        return time.monotonic() - begin

    def _leave(self, took_s: float) -> None:
        with self._changed:
            self._running -= 1
            self._service_time.add(took_s)
            self._report()
            self._changed.notify_all()

    def _report(self) -> None:
        metrics.IN_FLIGHT.labels(self._stage).set(self._running)
        metrics.QUEUED.labels(self._stage).set(len(self._queue))


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
        self._running = 0
        self._queue: PriorityQueue[asyncio.Future[None]] = PriorityQueue(queue)
        self._service_time = _ServiceTime(concurrency)
        metrics.show_limits(stage, concurrency, queue)
        self._report()  # zero from the start: to a scaler a series that is not there is a lost Prometheus

    @property
    def running(self) -> int:
        """Requests on their way now."""
        return self._running

    @property
    def waiting(self) -> int:
        """Requests that wait now."""
        return len(self._queue)

    @asynccontextmanager
    async def admit(self, priority: Priority = "interactive", budget_s: float = math.inf) -> AsyncIterator[None]:
        """Wait for a turn and hold it for the body.

        Args:
            priority: interactive requests have their turn before batch requests.
            budget_s: what the caller's deadline leaves.

        Raises:
            Overloaded: the queue is full, or the turn would come too late.
            DeadlineExceeded: the turn did not come in time.
        """
        self.refuse_if_full(priority, budget_s)
        came = time.monotonic()
        await self._wait_for_turn(priority, budget_s)
        begin = time.monotonic()
        try:
            metrics.PHASE_SECONDS.labels(self._stage, "queue", "", "", "OK").observe(begin - came)
            metrics.ADMITTED.labels(self._stage).inc()
            yield
        finally:
            self._service_time.add(time.monotonic() - begin)
            self._hand_on()

    def refuse_if_full(self, priority: Priority = "interactive", budget_s: float = math.inf) -> None:
        """Refuse what `admit` would refuse now.

        Raises:
            Overloaded: the queue is full, or the turn would come too late.
        """
        if self._running >= self._concurrency:
            _refuse(self._stage, self._queue, priority, budget_s, self._running, self._service_time)

    async def _wait_for_turn(self, priority: Priority, budget_s: float) -> None:
        if self._running < self._concurrency:  # then nobody waits
            self._running += 1
            self._report()
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.join(turn, priority)
        self._report()
        try:
            async with asyncio.timeout(None if math.isinf(budget_s) else budget_s):
                await asyncio.shield(turn)  # cancelled or late, it still says whether the place was handed over
        except BaseException as problem:
            if turn.done():  # the place was handed over just as the wait ended
                self._hand_on()
            if isinstance(problem, TimeoutError):
                raise DeadlineExceeded(
                    f"{self._stage} had no place within the {budget_s:.1f} s that were left"
                ) from None
            raise
        finally:
            self._queue.leave(turn, priority)
            self._report()

    def _hand_on(self) -> None:
        """Give a place back, to the next in the queue if there is one."""
        self._running -= 1
        if len(self._queue):
            self._running += 1
            self._queue.pop().set_result(None)
        self._report()

    def _report(self) -> None:
        metrics.IN_FLIGHT.labels(self._stage).set(self._running)
        metrics.QUEUED.labels(self._stage).set(len(self._queue))


class _ServiceTime:
    """How long a call holds its place, estimated from the calls that were served."""

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._estimate_s = 1.0
        self.is_known = False

    def add(self, took_s: float) -> None:
        """Learn how long a call held its place."""
        self._estimate_s += (_SMOOTHING if self.is_known else 1.0) * (took_s - self._estimate_s)
        self.is_known = True

    def wait_s(self, ahead: int) -> float:
        """Return the estimated wait behind `ahead` others; a guess until it is known."""
        return self._estimate_s / self._concurrency * (ahead + 1)


def _refuse(
    stage: str, queue: PriorityQueue[Any], priority: Priority, budget_s: float, running: int, service_time: _ServiceTime
) -> None:
    """Raise where a call cannot wait, or would wait in vain."""
    wait_s = service_time.wait_s(queue.ahead_of(priority))
    if queue.is_full(priority):
        kind = "" if priority == "interactive" else f"{priority} "
        why = f"which is its limit; try {kind}again in {wait_s:.1f} s"
    elif service_time.is_known and wait_s > budget_s:
        why = f"so that a turn would come in {wait_s:.1f} s, after the deadline in {budget_s:.1f} s"
    else:
        return
    metrics.SHED.labels(stage).inc()
    raise Overloaded(f"{stage} has {running} calls running and {len(queue)} waiting, {why}", retry_after_s=wait_s)
