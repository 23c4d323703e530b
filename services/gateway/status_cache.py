"""How the stages are, asked at most once a second however many probes come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

from unflat.v1 import orchestrator_pb2 as pb

_FRESH_S = 1.0


class StatusCache:
    """The last answer of the orchestrator, asked anew once it is old.

    Args:
        ask: returns the status, or raises an `UnflatError`.
        fresh_s: an answer (or failure) younger than this is given again.
    """

    def __init__(self, ask: Callable[[], Coroutine[Any, Any, pb.GetStatusResponse]], fresh_s: float = _FRESH_S) -> None:
        self._ask = ask
        self._fresh_s = fresh_s
        self._asked: asyncio.Task[pb.GetStatusResponse] | None = None
        self._asked_at = float("-inf")

    async def get(self) -> pb.GetStatusResponse:
        """Return the status.

        Raises:
            UnflatError: the orchestrator does not answer.
        """
        now = time.monotonic()
        asked = self._asked
        if asked is None or (asked.done() and now - self._asked_at > self._fresh_s):
            asked = self._asked = asyncio.create_task(self._ask())
            self._asked_at = now
        # Shielded: one probe that hangs up must not take the answer away from the others.
        return await asyncio.shield(asked)
