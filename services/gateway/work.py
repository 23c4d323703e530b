"""Blocking calls for an asynchronous server: a bounded pool of threads, and callers that may leave.

So many requests run, so many wait, the rest is refused at once. A caller that hangs up while it waits is dropped
without having run; one that hangs up later cancels its request at the next sign of progress.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import traceback
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from starlette.requests import Request

from services.common.errors import Internal, UnflatError
from services.common.serving.admission import AioAdmission

T = TypeVar("T")
_STAGE = "gateway"


class CallerLeftError(Exception):
    """The caller hung up; nobody reads the answer."""


class WorkPool:
    """Runs blocking work for requests.

    Args:
        threads: requests that run at the same time.
        queue: requests that may wait; beyond it `Overloaded`.
    """

    def __init__(self, threads: int, queue: int) -> None:
        self._admission = AioAdmission(_STAGE, threads, queue)
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="request")

    async def run(
        self, request: Request, work: Callable[[threading.Event], T], cancel: Callable[[], None] = lambda: None
    ) -> T:
        """Return what `work` returns; it is given an event that is set once the caller has left.

        Call it after the body of `request` was read. `cancel` is called beside: it wakes what waits without looking.

        Raises:
            Overloaded: all threads are busy and the queue is full.
            CallerLeftError: the caller hung up.
        """
        left = asyncio.ensure_future(_until_disconnect(request))
        try:
            return await self.run_until(left, work, cancel)
        finally:
            left.cancel()

    async def run_until(
        self, left: asyncio.Future[None], work: Callable[[threading.Event], T], cancel: Callable[[], None]
    ) -> T:
        """Return what `work` returns; it is given an event that is set, and `cancel` is called, once `left` is done.

        Raises:
            Overloaded: all threads are busy and the queue is full.
            CallerLeftError: `left` was done first.
        """
        gone = threading.Event()
        try:
            async with self._admission.slot():
                if left.done():
                    raise CallerLeftError
                loop, context = asyncio.get_running_loop(), contextvars.copy_context()
                job = loop.run_in_executor(self._executor, context.run, work, gone)
                try:
                    first: set[asyncio.Future[Any]] = {job, left}
                    await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
                    if not job.done():
                        gone.set()
                        cancel()
                    return await job  # the slot is held until the thread is free
                finally:
                    del job, first  # a failed job, its error and this frame would keep each other, and the photo
        finally:
            gone.set()

    def refuse_if_full(self) -> None:
        """Refuse what `run` would refuse now.

        Raises:
            Overloaded: all threads are busy and the queue is full.
        """
        self._admission.refuse_if_full()

    def close(self) -> None:
        """Let no more work begin."""
        self._executor.shutdown(wait=False, cancel_futures=True)


def last_of(events: Iterator[object], kind: type[T], gone: threading.Event) -> T:
    """Return the result at the end of a stream of progress; leave the stream, which cancels it, when `gone` is set.

    Raises:
        CallerLeftError: `gone` was set before the result came.
    """
    try:
        for event in events:
            if isinstance(event, kind):
                return event
            if gone.is_set():
                raise CallerLeftError
    except UnflatError as problem:
        _let_go(problem)
        if gone.is_set():  # what a cancelled call says of itself
            raise CallerLeftError from None
        raise
    finally:
        if isinstance(events, Generator):
            events.close()
    raise Internal("the orchestrator ended without a result")


def _let_go(problem: UnflatError) -> None:
    """Free what a failed call keeps: a gRPC error is the call itself, and its frames, the photo among them, hold it."""
    cause = problem.__context__
    if cause is not None:
        traceback.clear_frames(cause.__traceback__)
        problem.__context__ = None


async def _until_disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
