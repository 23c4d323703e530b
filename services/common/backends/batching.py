"""Concurrent calls gathered into batches, for a device that idles with one item at a time.

A worker takes what waits longest, and with it what has the same key (only equal shapes stack). It waits a little for
more, never longer than `max_wait_s` after the first came, and hands the batch to `run`. A batch that fails is run again
item by item, so that a bad item fails alone. Where memory runs out, the batch is halved and the smaller size remembered
for its key.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Generic, Self, TypeVar

from services.common.backends.out_of_memory import is_out_of_memory

Item = TypeVar("Item")
Result = TypeVar("Result")

GPU_BATCH = 8  # items; a GPU is busy with fewer, and one item's wait stays short
_CHECK_S = 0.5  # how often `ask` checks whether its caller is still there


@dataclass(frozen=True)
class BatchOptions:
    """When a batch is full.

    Args:
        most: items in a batch; more use the device better and take more of its memory. 0 takes what suits the device,
            see `on`.
        max_wait_s: how long the first item waits for others. It is added to the time of a lonely call; items that came
            while the device was busy have waited already, and go at once.
        observe: called with the size of each batch that was run, for a metric.
    """

    most: int = 0
    max_wait_s: float = 0.005
    observe: Callable[[int], None] = lambda _: None

    def on(self, device: str) -> BatchOptions:
        """Return the options for a device: `GPU_BATCH` on a GPU, 1 on a CPU, unless a number was named.

        One picture keeps a CPU busy: eight at once gained 1.03 to 1.05 times (`python -m bench batching`).
        """
        return replace(self, most=self.most or (GPU_BATCH if device.startswith("cuda") else 1))


@dataclass(frozen=True, eq=False)
class _Waiting(Generic[Item, Result]):
    item: Item
    key: Hashable
    future: Future[Result] = field(default_factory=Future)
    came: float = field(default_factory=time.monotonic)


class Batcher(Generic[Item, Result]):
    """Runs items of many threads in batches, in one thread of its own.

    Args:
        run: items of one key → their results, in the same order; never called by two threads at once.
        options: when a batch is full, with a number of items; see `BatchOptions.on`.

    >>> with Batcher(lambda items: [2 * item for item in items], BatchOptions(most=4)) as batcher:
    ...     batcher.ask(21)
    42
    """

    def __init__(self, run: Callable[[list[Item]], Sequence[Result]], options: BatchOptions) -> None:
        self._run = run
        self._options = options
        self._queue: list[_Waiting[Item, Result]] = []
        self._limits: dict[Hashable, int] = {}  # of keys whose full batch did not fit into memory
        self._changed = threading.Condition()
        self._closed = False
        self._worker = threading.Thread(target=self._work, name="batcher", daemon=True)
        self._worker.start()

    @property
    def waiting(self) -> int:
        """Items that wait now."""
        return len(self._queue)

    def submit(self, item: Item, key: Hashable = None) -> Future[Result]:
        """Put an item into the queue; items of equal `key` may be run together.

        Its future cancelled, an item that still waits is dropped unrun.

        Raises:
            RuntimeError: the batcher is closed.
        """
        waiting = _Waiting[Item, Result](item, key)
        with self._changed:
            if self._closed:
                raise RuntimeError("the batcher is closed")
            self._queue.append(waiting)
            self._changed.notify_all()
        return waiting.future

    def ask(self, item: Item, key: Hashable = None, check: Callable[[], None] = lambda: None) -> Result:
        """Return the result of an item; whatever `run` raised for it is raised here.

        Args:
            item: what to run.
            key: see `submit`.
            check: raises when the caller should not wait any longer; the item is then dropped if it has not begun.
        """
        future = self.submit(item, key)
        try:
            while True:
                check()
                try:
                    return future.result(_CHECK_S)
                except TimeoutError:
                    if future.done():  # the error of the item itself
                        raise
        finally:
            future.cancel()

    def close(self) -> None:
        """Take nothing more, run what waits, and return when it is done."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._worker.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- the worker ----

    def _work(self) -> None:
        while batch := self._gather():
            alive = [waiting for waiting in batch if waiting.future.set_running_or_notify_cancel()]
            if alive:
                self._run_batch(alive)

    def _gather(self) -> list[_Waiting[Item, Result]]:
        """Return the next batch, or nothing once closed and empty."""
        with self._changed:
            batch: list[_Waiting[Item, Result]] = []
            while not batch:
                self._changed.wait_for(lambda: self._alive() or self._closed)
                if not self._alive():
                    return []
                batch = self._wait_for_more(self._queue[0])
            self._queue = [waiting for waiting in self._queue if waiting not in batch]
            return batch

    def _wait_for_more(self, first: _Waiting[Item, Result]) -> list[_Waiting[Item, Result]]:
        """Return what goes with `first`; nothing where all of it was cancelled meanwhile."""
        most = self._limits.get(first.key, self._options.most)
        left_s = first.came + self._options.max_wait_s - time.monotonic()
        self._changed.wait_for(lambda: self._closed or len(self._of(first.key)) >= most, max(left_s, 0.0))
        return self._of(first.key)[:most]

    def _alive(self) -> bool:
        """Drop what was cancelled, and tell whether anything is left."""
        self._queue = [waiting for waiting in self._queue if not waiting.future.cancelled()]
        return bool(self._queue)

    def _of(self, key: Hashable) -> list[_Waiting[Item, Result]]:
        return [waiting for waiting in self._queue if waiting.key == key and not waiting.future.cancelled()]

    def _run_batch(self, batch: list[_Waiting[Item, Result]]) -> None:
        """Run and deliver; on failure again in smaller parts, down to single items."""
        try:
            results = self._run([waiting.item for waiting in batch])
            if len(results) != len(batch):
                raise ValueError(f"{len(batch)} items were run and {len(results)} results came")  # noqa: TRY301
        except BaseException as error:  # noqa: BLE001 - it is raised where the item came from
            if len(batch) == 1:
                batch[0].future.set_exception(error)
                return
            too_large = is_out_of_memory(error)
        else:
            self._options.observe(len(batch))
            for waiting, result in zip(batch, results, strict=True):
                waiting.future.set_result(result)
            return
        # Outside the handler: an error holds on to the memory of the call that failed.
        part = (len(batch) + 1) // 2 if too_large else 1
        if too_large:
            self._limits[batch[0].key] = part
        for begin in range(0, len(batch), part):
            self._run_batch(batch[begin : begin + part])
