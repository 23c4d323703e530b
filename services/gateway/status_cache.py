"""How the stages are, asked at most once a second however many probes come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from unflat.v1 import orchestrator_pb2 as pb

_FRESH_S = 1.0


class StatusCache:
    """Asks the orchestrator on a thread of its own, so that busy requests never delay a probe.

    Args:
        ask: blocks and returns the status, or raises an `UnflatError`.
        fresh_s: an answer (or failure) younger than this is given again.
    """

    def __init__(self, ask: Callable[[], pb.GetStatusResponse], fresh_s: float = _FRESH_S) -> None:
        self._ask = ask
        self._fresh_s = fresh_s
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="status")
        self._asked: asyncio.Future[pb.GetStatusResponse] | None = None
        self._asked_at = float("-inf")

    async def get(self) -> pb.GetStatusResponse:
        """Return the status.

        Raises:
            UnflatError: the orchestrator does not answer.
        """
        now = time.monotonic()
        asked = self._asked
        if asked is None or (asked.done() and now - self._asked_at > self._fresh_s):
            asked = asyncio.get_running_loop().run_in_executor(self._executor, self._ask)
            self._asked, self._asked_at = asked, now
        # Shielded: one probe that hangs up must not take the answer away from the others.
        return await asyncio.shield(asked)

    def close(self) -> None:
        """Let no more questions begin."""
        self._executor.shutdown(wait=False, cancel_futures=True)
