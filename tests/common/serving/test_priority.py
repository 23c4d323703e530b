"""What a call says about its hurry."""

from __future__ import annotations

import asyncio

import pytest

from services.common.serving.priority import PRIORITY_KEY, bind_priority, priority_metadata, read_priority


@pytest.mark.parametrize(
    ("metadata", "priority"),
    [
        (((PRIORITY_KEY, "batch"),), "batch"),
        (((PRIORITY_KEY, "interactive"),), "interactive"),
        (((PRIORITY_KEY, "most urgent"),), "interactive"),
        ((("x-request-id", "batch"),), "interactive"),
        ((), "interactive"),
        (None, "interactive"),
    ],
)
def test_whatever_is_not_batch_is_interactive(metadata, priority):
    assert read_priority(metadata) == priority


def test_the_priority_of_one_request_is_not_that_of_another():
    async def request(priority: str) -> str:
        bind_priority(priority)
        await asyncio.sleep(0)
        return dict(priority_metadata())[PRIORITY_KEY]

    async def scenario() -> list[str]:
        return await asyncio.gather(request("batch"), request("interactive"), request("batch"))

    assert asyncio.run(scenario()) == ["batch", "interactive", "batch"]
    assert priority_metadata() == ((PRIORITY_KEY, "interactive"),)
