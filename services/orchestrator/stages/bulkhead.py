"""A bulkhead: so many calls to one stage at a time, so that a stage that hangs drowns in its own calls only.

Without it many requests at once would overflow a stage's own queue, and lose those that it refuses. Here they wait.
Source: M. Nygard, Release It!, 2nd ed. 2018, ch. 5.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.common.errors import DeadlineExceeded, Overloaded


class Bulkhead:
    """Places for calls to one stage.

    Args:
        stage: for the sentences.
        places: calls under way at the same time.
    """

    def __init__(self, stage: str, places: int) -> None:
        self._stage = stage
        self._places = places
        self._free = asyncio.Semaphore(places)

    @asynccontextmanager
    async def place(self, timeout_s: float, *, wait: bool) -> AsyncIterator[float]:
        """Hold a place for the body, and yield what is left of `timeout_s`.

        Args:
            timeout_s: of the call, with the wait for its place.
            wait: False for a stage that can be done without: no place means no call.

        Raises:
            Overloaded: there is no place, and the call does not wait.
            DeadlineExceeded: there was no place in time.
        """
        if not wait and self._free.locked():
            raise Overloaded(
                f"{self._places} calls to {self._stage} are under way, which is the limit for this process"
            )
        begin = time.monotonic()
        try:
            async with asyncio.timeout(timeout_s):
                await self._free.acquire()
        except TimeoutError:
            raise DeadlineExceeded(f"no place for a call to {self._stage} within {timeout_s:.1f} s") from None
        try:
            yield max(0.0, timeout_s - (time.monotonic() - begin))
        finally:
            self._free.release()
