"""Receipts for a while."""

from __future__ import annotations

import asyncio

from services.gateway.storage.memory_store import MemoryStore
from services.gateway.storage.receipt_repository import ReceiptRepository


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_receipt_is_found_until_its_time_is_over():
    async def scene():
        clock = Clock()
        receipts = ReceiptRepository(MemoryStore(1 << 20, clock), ttl_s=60)
        await receipts.put("a", {"n": 1})
        clock.now = 59.0
        early = await receipts.get("a")
        clock.now = 60.0
        return early, await receipts.get("a")

    assert asyncio.run(scene()) == ({"n": 1}, None)


def test_younger_receipt_of_the_same_id_replaces_the_older():
    async def scene():
        receipts = ReceiptRepository(MemoryStore(1 << 20), ttl_s=60)
        await receipts.put("a", {"n": 1})
        await receipts.put("a", {"n": 2})
        return await receipts.get("a"), await receipts.get("b")

    assert asyncio.run(scene()) == ({"n": 2}, None)
