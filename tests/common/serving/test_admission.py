"""Admission: bounded, in order, and dropping what nobody waits for."""

from __future__ import annotations

import asyncio
import threading

import pytest
from prometheus_client import REGISTRY

from services.common.errors import DeadlineExceeded, Overloaded
from services.common.serving.admission import Admission, AioAdmission


def _go_on() -> None:
    pass


class _Holder:
    """Holds a slot in a thread until told to let go."""

    def __init__(self, gate: Admission) -> None:
        self.entered, self.release = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._run, args=(gate,))
        self.thread.start()

    def _run(self, gate: Admission) -> None:
        with gate.admit(_go_on):
            self.entered.set()
            self.release.wait(10)

    def finish(self) -> None:
        self.release.set()
        self.thread.join(10)


def test_beyond_the_queue_a_call_is_refused_at_once_with_a_hint():
    gate = Admission("test", concurrency=1, queue=0)
    holder = _Holder(gate)
    assert holder.entered.wait(10)
    with pytest.raises(Overloaded) as caught, gate.admit(_go_on):
        pytest.fail("must not be admitted")
    assert caught.value.retry_after_s > 0
    holder.finish()
    with gate.admit(_go_on):
        assert gate.running == 1
    assert gate.running == gate.waiting == 0


def test_a_waiting_call_that_expires_never_runs_and_leaves_the_queue():
    gate = Admission("test", concurrency=1, queue=5)
    holder = _Holder(gate)
    assert holder.entered.wait(10)

    def expired() -> None:
        raise DeadlineExceeded("late")

    with pytest.raises(DeadlineExceeded), gate.admit(expired):
        pytest.fail("must not run")
    assert gate.waiting == 0
    holder.finish()


def test_the_slot_is_given_back_when_the_body_fails():
    gate = Admission("test", concurrency=1, queue=0)
    with pytest.raises(ZeroDivisionError), gate.admit(_go_on):
        raise ZeroDivisionError
    with gate.admit(_go_on):
        assert gate.running == 1


def test_coroutines_wait_are_refused_and_leave_when_cancelled():
    async def scenario() -> None:
        gate = AioAdmission("test", concurrency=1, queue=1)
        release, entered = asyncio.Event(), asyncio.Event()

        async def hold() -> None:
            async with gate.admit():
                entered.set()
                await release.wait()

        async def pass_through() -> None:
            async with gate.admit():
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


# ── who goes first, and who need not wait ───────────────────────────────────────────────────────────────────────────


def _queue_up(gate: AioAdmission, *priorities: str) -> list[str]:
    """Let callers of these priorities wait behind one that holds the only place; return the order of their turns."""

    async def scenario() -> list[str]:
        release, order = asyncio.Event(), []

        async def hold() -> None:
            async with gate.admit():
                await release.wait()

        async def take(name: str, priority: str) -> None:
            async with gate.admit(priority):
                order.append(name)

        tasks = [asyncio.create_task(hold())]
        await asyncio.sleep(0)
        for number, priority in enumerate(priorities):
            tasks.append(asyncio.create_task(take(f"{priority} {number}", priority)))
            await asyncio.sleep(0)
        release.set()
        await asyncio.gather(*tasks)
        assert gate.running == gate.waiting == 0
        return order

    return asyncio.run(scenario())


def test_interactive_requests_go_before_batch_requests_each_in_order():
    order = _queue_up(AioAdmission("test", 1, 8), "batch", "interactive", "batch", "interactive")
    assert order == ["interactive 1", "interactive 3", "batch 0", "batch 2"]


def test_interactive_calls_go_before_batch_calls_in_threads_too():
    gate, order = Admission("test", concurrency=1, queue=8), []
    holder = _Holder(gate)
    assert holder.entered.wait(10)

    def take(priority: str) -> None:
        with gate.admit(_go_on, priority):
            order.append(priority)

    threads = []
    for number, priority in enumerate(("batch", "batch", "interactive")):
        threads.append(threading.Thread(target=take, args=(priority,)))
        threads[-1].start()
        while gate.waiting <= number:
            pass
    holder.finish()
    for thread in threads:
        thread.join(10)
    assert order == ["interactive", "batch", "batch"]


def test_batch_may_fill_half_of_the_queue_so_that_there_is_room_for_others():
    with pytest.raises(Overloaded, match="batch again"):
        _queue_up(AioAdmission("test", 1, 4), "batch", "batch", "batch")
    assert len(_queue_up(AioAdmission("test", 1, 4), "batch", "batch", "interactive", "interactive")) == 4


def test_a_call_whose_turn_would_come_after_its_deadline_is_refused_at_once():
    async def scenario() -> None:
        gate, release = AioAdmission("test", concurrency=1, queue=8), asyncio.Event()
        gate._service_time.add(10.0)

        async def hold() -> None:
            async with gate.admit():
                await release.wait()

        holder = asyncio.create_task(hold())
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match=r"turn would come in 10\.0 s, after the deadline in 5\.0 s") as caught:
            async with gate.admit(budget_s=5.0):
                pytest.fail("must not be admitted")
        assert caught.value.retry_after_s == pytest.approx(10.0)
        release.set()
        await holder
        async with gate.admit(budget_s=5.0):
            assert gate.running == 1, "an idle gate refuses nobody: its estimate may be wrong"

    asyncio.run(scenario())


def test_the_same_holds_in_threads():
    gate = Admission("test", concurrency=1, queue=8)
    gate._service_time.add(10.0)
    holder = _Holder(gate)
    assert holder.entered.wait(10)
    with pytest.raises(Overloaded, match="after the deadline"), gate.admit(_go_on, budget_s=5.0):
        pytest.fail("must not be admitted")
    holder.finish()


def test_before_anything_was_served_nobody_is_refused_by_a_guess():
    order = []

    async def scenario() -> None:
        gate, release = AioAdmission("test", concurrency=1, queue=8), asyncio.Event()

        async def hold() -> None:
            async with gate.admit():
                await release.wait()

        async def take() -> None:
            async with gate.admit(budget_s=0.9):
                order.append("taken")

        tasks = [asyncio.create_task(hold())]
        await asyncio.sleep(0)
        tasks.append(asyncio.create_task(take()))
        await asyncio.sleep(0)
        release.set()
        await asyncio.gather(*tasks)

    asyncio.run(scenario())
    assert order == ["taken"]


def test_a_turn_that_does_not_come_in_time_is_a_deadline_and_leaves_the_queue():
    async def scenario() -> None:
        gate, release = AioAdmission("test", concurrency=1, queue=8), asyncio.Event()

        async def hold() -> None:
            async with gate.admit():
                await release.wait()

        holder = asyncio.create_task(hold())
        await asyncio.sleep(0)
        with pytest.raises(DeadlineExceeded, match="no place"):
            async with gate.admit(budget_s=0.01):
                pytest.fail("must not run")
        assert gate.waiting == 0
        release.set()
        await holder
        assert gate.running == 0

    asyncio.run(scenario())


def test_a_place_that_is_handed_over_to_somebody_who_just_left_goes_to_the_next():
    async def scenario() -> list[str]:
        gate, release, order = AioAdmission("test", concurrency=1, queue=8), asyncio.Event(), []

        async def hold() -> None:
            async with gate.admit():
                await release.wait()

        async def take(name: str) -> None:
            async with gate.admit():
                order.append(name)

        holder = asyncio.create_task(hold())
        await asyncio.sleep(0)
        first, second = asyncio.create_task(take("first")), asyncio.create_task(take("second"))
        await asyncio.sleep(0)
        gate._hand_on()  # the place is handed to the first ...
        gate._running += 1
        first.cancel()  # ... which leaves before it wakes up
        await asyncio.gather(first, return_exceptions=True)
        gate._running -= 1
        await second
        release.set()
        await asyncio.gather(holder, return_exceptions=True)
        return order

    assert asyncio.run(scenario()) == ["second"]
