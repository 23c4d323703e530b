"""Receipts for a while."""

from __future__ import annotations

from services.gateway.receipts_store import ReceiptsStore


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_receipt_is_found_until_its_time_is_over():
    clock = Clock()
    store = ReceiptsStore(kept=10, ttl_s=60, clock=clock)
    store.put("a", {"n": 1})
    clock.now = 59.0
    assert store.get("a") == {"n": 1}
    clock.now = 60.0
    assert store.get("a") is None
    assert len(store) == 0


def test_oldest_leaves_when_there_are_too_many():
    store = ReceiptsStore(kept=2, ttl_s=60, clock=Clock())
    for name in "abc":
        store.put(name, {})
    assert (store.get("a"), store.get("b"), store.get("c")) == (None, {}, {})
    assert len(store) == 2


def test_same_id_replaces_and_counts_once():
    store = ReceiptsStore(kept=2, ttl_s=60, clock=Clock())
    store.put("a", {"n": 1})
    store.put("a", {"n": 2})
    assert (store.get("a"), len(store)) == ({"n": 2}, 1)


def test_store_of_size_nought_keeps_nothing():
    store = ReceiptsStore(kept=0, ttl_s=60, clock=Clock())
    store.put("a", {})
    assert store.get("a") is None
