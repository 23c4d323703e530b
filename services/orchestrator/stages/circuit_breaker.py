"""A circuit breaker: a stage that keeps failing is left alone for a while, then asked once whether it is well again.

Closed: calls pass; so many failures in a row open it. Open: calls are not tried for `rest_s`. Half-open: one call at a
time is let through; its success closes the breaker, its failure opens it again. A call that took too long counts as a
failure; what the caller did wrong (a bad picture, a cancelled request) does not count at all.
Source: M. Nygard, Release It!, 2nd ed. 2018, ch. 5.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from services.common.telemetry import metrics

State = Literal["closed", "open", "half-open"]


class Breaker:
    """Decides whether a stage is worth a call.

    Args:
        stage: name for the metric.
        failures: in a row that open it.
        rest_s: how long it stays open.
        clock: seconds that only grow; another one in tests.
    """

    def __init__(
        self, stage: str, failures: int = 5, rest_s: float = 3.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stage = stage
        self._limit = failures
        self._rest_s = rest_s
        self._clock = clock
        self._failed = 0
        self._opened_at: float | None = None
        self._probing = False

    @property
    def state(self) -> State:
        """closed, open or half-open."""
        if self._opened_at is None:
            return "closed"
        return "half-open" if self._clock() - self._opened_at >= self._rest_s else "open"

    def allows(self) -> bool:
        """Tell whether a call may be tried now; a True while half-open books the one probe."""
        state = self.state
        if state == "closed":
            return True
        if state == "open" or self._probing:
            return False
        self._probing = True
        return True

    def record_success(self) -> None:
        """A call answered in good time."""
        self._failed, self._opened_at, self._probing = 0, None, False
        metrics.BREAKER_OPEN.labels(self._stage).set(0)

    def record_failure(self) -> None:
        """A call failed or took too long."""
        self._failed += 1
        self._probing = False
        if self._opened_at is not None or self._failed >= self._limit:
            self._opened_at = self._clock()
            metrics.BREAKER_OPEN.labels(self._stage).set(1)

    def release_probe(self) -> None:
        """A call ended without telling anything about the stage."""
        self._probing = False
