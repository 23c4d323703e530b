"""Gathering concurrent calls: what goes together, who fails, and what is dropped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest

from services.common.backends.batching import Batcher, BatchOptions

AT_ONCE = BatchOptions(most=8, max_wait_s=0.0)
FULL_ONLY = 60.0  # seconds: a test that waited for `max_wait_s` would fail by its time limit
LIMIT_S = 10


class Device:
    """Multiplies by ten; keeps what it was given; the first run waits at a gate, so that a line can form."""

    def __init__(self, fails: Callable[[list[int]], Exception | None] = lambda _: None, *, gated: bool = False) -> None:
        self.batches: list[list[int]] = []
        self.entered, self.gate = threading.Event(), threading.Event()
        self._fails = fails
        if not gated:
            self.gate.set()

    def run(self, items: list[int]) -> list[int]:
        self.batches.append(list(items))
        self.entered.set()
        assert self.gate.wait(LIMIT_S)
        if error := self._fails(items):
            raise error
        return [10 * item for item in items]


def _busy(device: Device, options: BatchOptions = AT_ONCE) -> Batcher[int, int]:
    """Return a batcher that is running item 0 until the device's gate opens."""
    batcher: Batcher[int, int] = Batcher(device.run, options)
    batcher.submit(0, "first")
    assert device.entered.wait(LIMIT_S)
    return batcher


def test_each_caller_gets_its_own_result():
    with Batcher(Device().run, AT_ONCE) as batcher, ThreadPoolExecutor(8) as callers:
        assert list(callers.map(batcher.ask, range(100))) == [10 * item for item in range(100)]


def test_what_waits_with_an_equal_key_goes_together_and_no_more_than_the_most():
    device = Device(gated=True)
    with _busy(device, BatchOptions(most=3, max_wait_s=0.0)) as batcher:
        futures = [batcher.submit(item, "same") for item in range(1, 6)]
        device.gate.set()
        assert [future.result(LIMIT_S) for future in futures] == [10, 20, 30, 40, 50]
    assert device.batches == [[0], [1, 2, 3], [4, 5]]


def test_other_keys_keep_their_turn():
    device = Device(gated=True)
    with _busy(device) as batcher:
        for item, key in ((1, "a"), (2, "b"), (3, "a"), (4, "b")):
            batcher.submit(item, key)
        device.gate.set()
    assert device.batches == [[0], [1, 3], [2, 4]]


def test_a_full_batch_does_not_wait_for_the_time_limit():
    device = Device()
    with Batcher(device.run, BatchOptions(most=2, max_wait_s=FULL_ONLY)) as batcher:
        futures = [batcher.submit(1), batcher.submit(2)]
        assert [future.result(LIMIT_S) for future in futures] == [10, 20]
    assert device.batches == [[1, 2]]


def test_a_lonely_item_goes_when_its_wait_is_over():
    with Batcher(Device().run, BatchOptions(most=8, max_wait_s=0.001)) as batcher:
        assert batcher.submit(7).result(LIMIT_S) == 70


def test_a_bad_item_fails_alone():
    device = Device(lambda items: ValueError("13 is bad") if 13 in items else None, gated=True)
    with _busy(device) as batcher:
        futures = {item: batcher.submit(item) for item in (12, 13, 14)}
        device.gate.set()
        assert futures[12].result(LIMIT_S) == 120
        assert futures[14].result(LIMIT_S) == 140
        with pytest.raises(ValueError, match="13 is bad"):
            futures[13].result(LIMIT_S)
    assert device.batches == [[0], [12, 13, 14], [12], [13], [14]]


def test_memory_that_ran_out_halves_the_batch_and_is_remembered_for_its_key():
    device = Device(lambda items: MemoryError() if len(items) > 2 else None, gated=True)
    with _busy(device) as batcher:
        futures = [batcher.submit(item, "large") for item in range(1, 6)]
        device.gate.set()
        assert [future.result(LIMIT_S) for future in futures] == [10, 20, 30, 40, 50]
        assert device.batches[1:] == [[1, 2, 3, 4, 5], [1, 2, 3], [1, 2], [3], [4, 5]]

        device.gate.clear()
        device.entered.clear()
        batcher.submit(0, "first")
        assert device.entered.wait(LIMIT_S)
        for item in (6, 7, 8):
            batcher.submit(item, "large")
        device.gate.set()
    assert device.batches[-2:] == [[6, 7], [8]]


def test_an_item_that_is_too_large_alone_gets_the_error():
    device = Device(lambda _: MemoryError("full"))
    with Batcher(device.run, AT_ONCE) as batcher, pytest.raises(MemoryError, match="full"):
        batcher.ask(1)


def test_an_engines_words_for_memory_halve_the_batch_too():
    device = Device(lambda items: RuntimeError("failed to allocate") if len(items) > 2 else None, gated=True)
    with _busy(device) as batcher:
        for item in (1, 2, 3, 4):
            batcher.submit(item)
        device.gate.set()
    assert device.batches[1:] == [[1, 2, 3, 4], [1, 2], [3, 4]]


def test_a_cancelled_item_that_waits_is_never_run():
    device = Device(gated=True)
    with _busy(device) as batcher:
        gone, kept = batcher.submit(1), batcher.submit(2)
        assert gone.cancel()
        device.gate.set()
        assert kept.result(LIMIT_S) == 20
    assert device.batches == [[0], [2]]
    with pytest.raises(CancelledError):
        gone.result(0)


def test_a_caller_who_may_not_wait_any_longer_takes_the_item_along():
    def leave() -> None:
        raise InterruptedError("the caller left")

    device = Device(gated=True)
    with _busy(device) as batcher:
        with pytest.raises(InterruptedError):
            batcher.ask(1, check=leave)
        device.gate.set()
    assert device.batches == [[0]]


def test_a_cancelled_item_does_not_fill_a_batch():
    device = Device()
    with Batcher(device.run, BatchOptions(most=2, max_wait_s=FULL_ONLY)) as batcher:
        batcher.submit(1).cancel()
        futures = [batcher.submit(2), batcher.submit(3)]
        assert [future.result(LIMIT_S) for future in futures] == [20, 30]
    assert device.batches == [[2, 3]]


def test_a_line_of_cancelled_items_alone_ends_nothing():
    with Batcher(Device().run, BatchOptions(most=2, max_wait_s=0.001)) as batcher:
        batcher.submit(1).cancel()
        assert batcher.ask(2) == 20


def test_an_error_of_the_item_that_looks_like_waiting_is_raised():
    device = Device(lambda _: TimeoutError("of the item"))
    with Batcher(device.run, AT_ONCE) as batcher, pytest.raises(TimeoutError, match="of the item"):
        batcher.ask(1)


def test_missing_results_are_an_error_and_nobody_waits_for_ever():
    with Batcher(lambda _: [], AT_ONCE) as batcher, pytest.raises(ValueError, match="1 items were run and 0 results"):
        batcher.ask(1)


def test_closing_runs_what_waits_and_takes_nothing_more():
    device = Device(gated=True)
    batcher = _busy(device)
    waiting = batcher.submit(1)
    device.gate.set()
    batcher.close()
    assert waiting.result(0) == 10
    with pytest.raises(RuntimeError, match="closed"):
        batcher.submit(2)


def test_the_size_of_every_batch_is_observed():
    sizes: list[int] = []
    device = Device(gated=True)
    with _busy(device, BatchOptions(most=8, max_wait_s=0.0, observe=sizes.append)) as batcher:
        for item in (1, 2, 3):
            batcher.submit(item)
        device.gate.set()
    assert sizes == [1, 3]
