"""Callers who may hang up: what was begun for them ends with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request


class CallerLeftError(Exception):
    """The caller hung up; nobody reads the answer."""


@asynccontextmanager
async def while_connected(request: Request) -> AsyncIterator[None]:
    """Run the body; the moment the caller of `request` hangs up, cancel it.

    Enter it after the body of `request` was read.

    Raises:
        CallerLeftError: the caller hung up.
    """
    body = asyncio.current_task()
    assert body is not None
    has_left = False

    async def watch() -> None:
        nonlocal has_left
        while (await request.receive())["type"] != "http.disconnect":
            pass
        has_left = True
        body.cancel()

    watching = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError:
        if has_left and not body.uncancel():  # else it was cancelled from elsewhere as well
            raise CallerLeftError from None
        raise
    finally:
        watching.cancel()
