"""Receipts for a while: so many at most, each for so long, the oldest leaves first."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeAlias

ReceiptJson: TypeAlias = dict[str, Any]


class ReceiptsStore:
    """Keeps receipts in the memory of one process; used from the event loop only.

    Args:
        kept: how many at most.
        ttl_s: how long each, in seconds.
        clock: monotonic seconds.
    """

    def __init__(self, kept: int, ttl_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._kept = kept
        self._ttl_s = ttl_s
        self._clock = clock
        self._entries: OrderedDict[str, tuple[float, ReceiptJson]] = OrderedDict()

    def put(self, request_id: str, receipt: ReceiptJson) -> None:
        """Keep `receipt`; an older one of the same id is replaced."""
        self._entries.pop(request_id, None)
        self._entries[request_id] = (self._clock() + self._ttl_s, receipt)
        self._sweep()

    def get(self, request_id: str) -> ReceiptJson | None:
        """Return the receipt, or None where there is none (any more)."""
        self._sweep()
        found = self._entries.get(request_id)
        return None if found is None else found[1]

    def __len__(self) -> int:
        """How many are kept now."""
        return len(self._entries)

    def _sweep(self) -> None:
        # All live equally long, so the order of arrival is the order of leaving.
        now = self._clock()
        while self._entries:
            ends, _ = next(iter(self._entries.values()))
            if ends > now and len(self._entries) <= self._kept:
                return
            self._entries.popitem(last=False)
