"""Tasks that do not outlive their request."""

from __future__ import annotations

import asyncio
from typing import Any

_LEAVE_S = 1.0  # a cancelled call is gone at once; no answer waits longer for it


async def end_task(task: asyncio.Future[Any]) -> None:
    """Cancel `task` and see it gone, so that nothing of a request outlives it."""
    task.cancel()
    await asyncio.wait([task], timeout=_LEAVE_S)
    if task.done() and not task.cancelled():
        task.exception()  # looked at, so that asyncio does not report it as forgotten
