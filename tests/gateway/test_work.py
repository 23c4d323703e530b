"""The bounded pool: who runs, who waits, who is refused, and who has left."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import weakref

import pytest
from starlette.requests import Request

from services.common.errors import Internal, InvalidImage, Overloaded
from services.gateway.work import CallerLeftError, WorkPool, last_of


class Caller:
    """A request whose body was read, and whose caller may hang up."""

    def __init__(self):
        self.left = asyncio.Event()
        self.request = Request({"type": "http", "method": "POST", "path": "/", "headers": []}, self.receive)

    async def receive(self):
        await self.left.wait()
        return {"type": "http.disconnect"}


def test_work_beyond_threads_and_queue_is_refused_with_a_hint():
    async def scene():
        pool, release, running = WorkPool(threads=1, queue=1), threading.Event(), threading.Event()

        def work(gone):
            running.set()
            release.wait(30)
            return "done"

        first = asyncio.ensure_future(pool.run(Caller().request, work))
        await asyncio.to_thread(running.wait, 30)
        second = asyncio.ensure_future(pool.run(Caller().request, work))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        with pytest.raises(Overloaded) as refused:
            await pool.run(Caller().request, work)
        release.set()
        return await first, await second, refused.value.retry_after_s

    first, second, retry_after_s = asyncio.run(scene())
    assert (first, second) == ("done", "done")
    assert retry_after_s > 0


def test_caller_who_leaves_cancels_the_stream():
    closed = threading.Event()

    def stream(caller, loop):
        try:
            yield "progress"
            loop.call_soon_threadsafe(caller.left.set)
            while True:
                yield "progress"
        finally:
            closed.set()

    async def scene():
        pool, caller, loop = WorkPool(1, 0), Caller(), asyncio.get_running_loop()
        await pool.run(caller.request, lambda gone: last_of(stream(caller, loop), bytes, gone))

    with pytest.raises(CallerLeftError):
        asyncio.run(scene())
    assert closed.is_set()


def test_caller_who_leaves_while_waiting_never_runs():
    async def scene():
        pool, release, running, ran = WorkPool(1, 1), threading.Event(), threading.Event(), []

        def block(gone):
            running.set()
            return release.wait(30)

        first = asyncio.ensure_future(pool.run(Caller().request, block))
        await asyncio.to_thread(running.wait, 30)
        waiting = Caller()
        second = asyncio.ensure_future(pool.run(waiting.request, lambda gone: ran.append(1)))
        await asyncio.sleep(0)
        waiting.left.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        release.set()
        await first
        with pytest.raises(CallerLeftError):
            await second
        return ran

    assert asyncio.run(scene()) == []


def test_failed_call_leaves_no_photo_behind():
    class Photo(bytearray):
        """Can be watched, unlike bytes."""

    class CallError(Exception):
        """Holds its own frame, as an error of gRPC does."""

    def stream(photo):
        call = CallError()
        try:
            yield "progress"
            raise call
        except CallError:
            raise InvalidImage("no picture") from None

    async def scene():
        pool, photo = WorkPool(1, 0), Photo(b"pixels")
        watched = weakref.ref(photo)

        async def handler(photo):
            await pool.run(Caller().request, lambda gone: last_of(stream(photo), bytes, gone))

        handled = handler(photo)
        del photo
        with contextlib.suppress(InvalidImage):
            await handled
        del handled
        await asyncio.to_thread(int)  # the pool's thread has moved on as well
        return watched()

    gc.collect()
    gc.disable()
    try:
        assert asyncio.run(scene()) is None
    finally:
        gc.enable()


def test_stream_without_a_result_is_a_defect():
    with pytest.raises(Internal):
        last_of(iter(["progress"]), bytes, threading.Event())


def test_full_pool_is_429_with_retry_after_over_http(open_house, photo):
    gate = threading.Event()
    house = open_house(request_threads=1, request_queue=0)
    house.orchestrator.gate = gate
    answers = []

    def post():
        answers.append(house.http.post("/remove-bg", files={"file": photo}))

    first = threading.Thread(target=post)
    first.start()
    while not house.orchestrator.calls:
        first.join(0.01)
    refused = house.http.post("/remove-bg", files={"file": photo})
    rembg = house.http.post("/api/remove", files={"file": photo})
    ready = house.http.get("/readyz")
    gate.set()
    first.join()
    assert (refused.status_code, refused.json()["code"]) == (429, "OVERLOADED")
    assert int(refused.headers["retry-after"]) >= 1
    assert (rembg.status_code, set(rembg.json())) == (429, {"detail"})
    assert ready.status_code == 200
    assert [answer.status_code for answer in answers] == [200]
