"""Places for calls to one stage."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from services.common.errors import DeadlineExceeded, Overloaded
from services.orchestrator.stages.bulkhead import Bulkhead
from services.orchestrator.stages.depth_stage import DepthStage
from services.orchestrator.stages.stage_channel import StageChannel
from unflat.v1 import orchestrator_pb2 as pb


def test_beyond_its_places_a_call_waits_and_has_less_time_left():
    async def scenario() -> float:
        bulkhead, first_is_in, release = Bulkhead("mesher", 1), asyncio.Event(), asyncio.Event()

        async def hold() -> None:
            async with bulkhead.place(20.0, wait=True):
                first_is_in.set()
                await release.wait()

        async def take() -> float:
            async with bulkhead.place(20.0, wait=True) as left_s:
                assert release.is_set(), "it must not run beside the first"
                return left_s

        holder = asyncio.create_task(hold())
        await first_is_in.wait()
        waiter = asyncio.create_task(take())
        await asyncio.sleep(0)
        release.set()
        await holder
        return await waiter

    assert 0 < asyncio.run(scenario()) < 20.0


def test_a_place_that_does_not_come_in_time_is_a_deadline():
    async def scenario() -> None:
        bulkhead = Bulkhead("mesher", 1)
        async with bulkhead.place(20.0, wait=True):
            with pytest.raises(DeadlineExceeded, match="no place for a call to mesher"):
                async with bulkhead.place(0.01, wait=True):
                    pytest.fail("must not run")
        async with bulkhead.place(20.0, wait=True):
            pass  # the wait that ended took no place with it

    asyncio.run(scenario())


def test_what_can_be_done_without_does_not_wait():
    async def scenario() -> None:
        bulkhead = Bulkhead("depth", 1)
        async with bulkhead.place(20.0, wait=False):
            with pytest.raises(Overloaded, match="1 calls to depth are under way"):
                async with bulkhead.place(20.0, wait=False):
                    pytest.fail("must not run")

    asyncio.run(scenario())


@pytest.mark.parametrize("how", ["error", "cancelled"])
def test_a_place_is_given_back_however_the_call_ends(how):
    async def scenario() -> None:
        bulkhead, begun = Bulkhead("mesher", 1), asyncio.Event()

        async def call() -> None:
            async with bulkhead.place(20.0, wait=True):
                begun.set()
                if how == "error":
                    raise ZeroDivisionError
                await asyncio.Event().wait()

        task = asyncio.create_task(call())
        await begun.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with bulkhead.place(0.5, wait=False):
            pass

    asyncio.run(scenario())


def test_depth_without_a_place_is_left_out_and_the_breaker_hears_nothing_of_it():
    async def scenario() -> tuple[pb.StageReceipt, str]:
        channel = StageChannel("depth", "127.0.0.1:1", places=1)
        try:
            async with channel.bulkhead.place(20.0, wait=False):
                answer = await DepthStage(channel).estimate(np.zeros((8, 8, 3), np.uint8), 20.0)
            return answer.receipt, channel.breaker.state
        finally:
            await channel.channel.close()

    receipt, state = asyncio.run(scenario())
    assert receipt.outcome == pb.OUTCOME_UNAVAILABLE
    assert "under way" in receipt.reason
    assert state == "closed"
