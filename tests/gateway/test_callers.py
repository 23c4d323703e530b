"""Callers who hang up, and who runs, waits or is refused meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import weakref

import pytest
from starlette.requests import Request

from services.common.client import Progress, result_of
from services.common.errors import InvalidImage, Overloaded
from services.common.serving.admission import AioAdmission
from services.gateway.callers import CallerLeftError, while_connected


class Caller:
    """A request whose body was read, and whose caller may hang up."""

    def __init__(self):
        self.left = asyncio.Event()
        self.request = Request({"type": "http", "method": "POST", "path": "/", "headers": []}, self.receive)

    async def receive(self):
        await self.left.wait()
        return {"type": "http.disconnect"}


async def serve(caller, admission, work):
    async with while_connected(caller.request), admission.admit():
        return await work()


async def until_idle():
    """Let every task run as far as it can."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_work_beyond_places_and_queue_is_refused_with_a_hint():
    async def scene():
        admission, release = AioAdmission("gateway", 1, 1), asyncio.Event()
        first = asyncio.create_task(serve(Caller(), admission, release.wait))
        second = asyncio.create_task(serve(Caller(), admission, release.wait))
        await until_idle()
        with pytest.raises(Overloaded) as refused:
            await serve(Caller(), admission, release.wait)
        release.set()
        return await first, await second, refused.value.retry_after_s

    first, second, retry_after_s = asyncio.run(scene())
    assert (first, second) == (True, True)
    assert retry_after_s > 0


def test_caller_who_leaves_cancels_the_work_at_once():
    cancelled = []

    async def stream():
        try:
            yield Progress()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def scene():
        admission, caller = AioAdmission("gateway", 1, 0), Caller()
        served = asyncio.create_task(serve(caller, admission, lambda: result_of(stream())))
        await until_idle()
        caller.left.set()
        with pytest.raises(CallerLeftError):
            await served
        return admission.running

    assert (asyncio.run(scene()), cancelled) == (0, [True])


def test_caller_who_leaves_while_waiting_never_runs():
    async def scene():
        admission, release, ran = AioAdmission("gateway", 1, 1), asyncio.Event(), []

        async def work():
            ran.append(1)

        first = asyncio.create_task(serve(Caller(), admission, release.wait))
        await until_idle()
        waiting = Caller()
        second = asyncio.create_task(serve(waiting, admission, work))
        await until_idle()
        waiting.left.set()
        await until_idle()
        release.set()
        await first
        with pytest.raises(CallerLeftError):
            await second
        return ran, admission.waiting

    assert asyncio.run(scene()) == ([], 0)


def test_task_that_is_cancelled_from_elsewhere_stays_cancelled():
    async def scene():
        served = asyncio.create_task(serve(Caller(), AioAdmission("gateway", 1, 0), asyncio.Event().wait))
        await until_idle()
        served.cancel()
        await served

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(scene())


def test_failed_call_leaves_no_photo_behind():
    class Photo(bytearray):
        """Can be watched, unlike bytes."""

    class CallError(Exception):
        """Stands for an error of gRPC."""

    def fail():
        raise CallError

    async def stream(photo):
        try:
            yield Progress()
            fail()
        except CallError:
            raise InvalidImage("no picture") from None

    async def scene():
        photo = Photo(b"pixels")
        watched = weakref.ref(photo)

        async def handler(photo):
            await serve(Caller(), AioAdmission("gateway", 1, 0), lambda: result_of(stream(photo)))

        handled = handler(photo)
        del photo
        with contextlib.suppress(InvalidImage):
            await handled
        del handled
        await until_idle()
        return watched()

    gc.collect()
    gc.disable()
    try:
        assert asyncio.run(scene()) is None
    finally:
        gc.enable()


def test_full_queue_is_429_with_retry_after_over_http(open_house, photo):
    gate = threading.Event()
    house = open_house(concurrency=1, queue=0)
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
