"""Waiting for what another thread or process does: the one place where tests let time pass."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE_S = 60.0  # for what takes far less, even on a busy machine
_PACE_S = 0.01
_NEVER = threading.Event()


def until(look: Callable[[], T], patience_s: float = PATIENCE_S, why: Callable[[], object] | None = None) -> T:
    """Look again and again until `look` answers something true, and return that.

    Args:
        look: what is asked; it may fail by itself where waiting has no point.
        patience_s: how long before the test fails.
        why: what the failure says; the last answer where nothing is given.
    """
    deadline = time.monotonic() + patience_s
    while not (answer := look()):
        assert time.monotonic() < deadline, why() if why else answer
        _NEVER.wait(_PACE_S)
    return answer


async def until_async(look: Callable[[], T], patience_s: float = PATIENCE_S) -> T:
    """`until`, while the event loop goes on."""
    async with asyncio.timeout(patience_s):
        while not (answer := look()):
            await asyncio.sleep(_PACE_S)
    return answer


def is_listening(port: int) -> bool:
    """Tell whether somebody answers on a port of loopback."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
