"""The store in memory: each value for so long, all together no larger than so much."""

from __future__ import annotations

import asyncio

import pytest

from services.common.errors import Overloaded
from services.gateway.storage.memory_store import MemoryStore

KIB = 1 << 10
LARGE = bytes(200 * KIB)


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_value_ends_with_its_time():
    async def scene():
        clock = Clock()
        store = MemoryStore(KIB * KIB, clock)
        await store.put("a", b"1", ttl_s=10)
        clock.now = 9.9
        early = await store.get("a")
        clock.now = 10.0
        return early, await store.get("a"), store.held_bytes

    assert asyncio.run(scene()) == (b"1", None, 0)


def test_what_nobody_asks_for_leaves_as_well():
    async def scene():
        clock = Clock()
        store = MemoryStore(KIB * KIB, clock)
        await store.put("a", LARGE, ttl_s=10)
        clock.now = 20.0
        await store.put("b", b"1", ttl_s=10)
        return store.held_bytes

    assert asyncio.run(scene()) < KIB


def test_oldest_large_value_makes_room_and_records_stay():
    async def scene():
        store = MemoryStore(500 * KIB)
        await store.put("record", b"{}", ttl_s=60)
        for name in "abc":
            await store.put(name, LARGE, ttl_s=60)
        return [await store.get(name) is not None for name in ("record", "a", "b", "c")], store.held_bytes

    kept, held = asyncio.run(scene())
    assert kept == [True, False, True, True]
    assert held <= 500 * KIB


def test_many_small_values_are_bounded_too():
    async def scene():
        store = MemoryStore(100 * KIB)
        for number in range(1000):
            await store.put(str(number), b"x", ttl_s=60)
        return store.held_bytes, await store.get("999"), await store.get("0")

    held, young, old = asyncio.run(scene())
    assert held <= 100 * KIB
    assert (young, old) == (b"x", None)


def test_value_that_can_never_fit_is_refused():
    async def scene():
        await MemoryStore(100 * KIB).put("a", LARGE, ttl_s=60)

    with pytest.raises(Overloaded, match="--store-mb"):
        asyncio.run(scene())


def test_replace_revives_nothing():
    async def scene():
        store = MemoryStore(KIB * KIB)
        await store.put("a", b"1", ttl_s=60)
        replaced = await store.replace("a", b"2", ttl_s=60)
        dropped = await store.drop("a", "b")
        return replaced, dropped, await store.replace("a", b"3", ttl_s=60), await store.get("a"), store.held_bytes

    assert asyncio.run(scene()) == (True, 1, False, None, 0)
