"""Admission: bounded, in order, and dropping what nobody waits for."""

from __future__ import annotations

import asyncio
import threading

import pytest
from prometheus_client import REGISTRY

from services.common.admission import Admission, AioAdmission
from services.common.errors import DeadlineExceeded, Overloaded


def _go_on() -> None:
    pass


class _Holder:
    """Holds a slot in a thread until told to let go."""

    def __init__(self, gate: Admission) -> None:
        self.entered, self.release = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._run, args=(gate,))
        self.thread.start()

    def _run(self, gate: Admission) -> None:
        with gate.slot(_go_on):
            self.entered.set()
            self.release.wait(10)

    def finish(self) -> None:
        self.release.set()
        self.thread.join(10)


def test_beyond_the_queue_a_call_is_refused_at_once_with_a_hint():
    gate = Admission("test", concurrency=1, queue=0)
    holder = _Holder(gate)
    assert holder.entered.wait(10)
    with pytest.raises(Overloaded) as caught, gate.slot(_go_on):
        pytest.fail("must not be admitted")
    assert caught.value.retry_after_s > 0
    holder.finish()
    with gate.slot(_go_on):
        assert gate.running == 1
    assert gate.running == gate.waiting == 0


def test_a_waiting_call_that_expires_never_runs_and_leaves_the_queue():
    gate = Admission("test", concurrency=1, queue=5)
    holder = _Holder(gate)
    assert holder.entered.wait(10)

    def expired() -> None:
        raise DeadlineExceeded("late")

    with pytest.raises(DeadlineExceeded), gate.slot(expired):
        pytest.fail("must not run")
    assert gate.waiting == 0
    holder.finish()


def test_the_slot_is_given_back_when_the_body_fails():
    gate = Admission("test", concurrency=1, queue=0)
    with pytest.raises(ZeroDivisionError), gate.slot(_go_on):
        raise ZeroDivisionError
    with gate.slot(_go_on):
        assert gate.running == 1


def test_coroutines_wait_are_refused_and_leave_when_cancelled():
    async def scenario() -> None:
        gate = AioAdmission("test", concurrency=1, queue=1)
        release, entered = asyncio.Event(), asyncio.Event()

        async def hold() -> None:
            async with gate.slot():
                entered.set()
                await release.wait()

        async def pass_through() -> None:
            async with gate.slot():
                pass

        holder = asyncio.create_task(hold())
        await entered.wait()
        waiter = asyncio.create_task(pass_through())
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await pass_through()
        waiter.cancel()
        await asyncio.gather(waiter, return_exceptions=True)
        second = asyncio.create_task(pass_through())
        release.set()
        await asyncio.gather(holder, second)

    asyncio.run(scenario())


@pytest.mark.parametrize("gate", [Admission, AioAdmission])
def test_a_gate_nobody_has_come_to_counts_zero(gate):
    gate(f"unvisited-{gate.__name__}", 1, 1)
    for name in ("unflat_in_flight", "unflat_queued"):
        assert REGISTRY.get_sample_value(name, {"stage": f"unvisited-{gate.__name__}"}) == 0
