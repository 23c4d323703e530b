"""The store of a single gateway: bounded in bytes; what is full makes room by forgetting what is oldest.

Large values (pictures, meshes) go first: a record of a few kilobytes that says where a job is must not leave because
somebody's mesh came in.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from services.common.errors import Overloaded

_LARGE_BYTES = 64 << 10  # records and receipts stay below it
_OVERHEAD_BYTES = 500  # of a key, its entry and its bookkeeping: many small values count as well
_SWEEP_S = 1.0


@dataclass(frozen=True)
class _Entry:
    value: bytes
    ends: float

    @property
    def size(self) -> int:
        return len(self.value) + _OVERHEAD_BYTES


class MemoryStore:
    """Keeps bytes in this process; used from the event loop only.

    Args:
        max_bytes: of all values together.
        clock: monotonic seconds.
    """

    shared = False

    def __init__(self, max_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_bytes = max_bytes
        self._clock = clock
        self._large: OrderedDict[str, _Entry] = OrderedDict()
        self._small: OrderedDict[str, _Entry] = OrderedDict()
        self._swept = clock()
        self.held_bytes = 0

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Keep `value`; the oldest values leave where it would not fit beside them.

        Raises:
            Overloaded: it is larger than all that may be kept.
        """
        entry = _Entry(value, self._clock() + ttl_s)
        if entry.size > self._max_bytes:
            raise Overloaded(
                f"a result of {len(value) / 2**20:.1f} MiB does not fit the store of {self._max_bytes >> 20} MiB "
                "(--store-mb)"
            )
        self._take(key)
        self._sweep()
        while self.held_bytes + entry.size > self._max_bytes:
            oldest = next(iter(self._large or self._small))
            self._take(oldest)
        (self._large if entry.size > _LARGE_BYTES else self._small)[key] = entry
        self.held_bytes += entry.size

    async def replace(self, key: str, value: bytes, ttl_s: float) -> bool:
        """Keep `value` only where the key exists still, and return whether it did."""
        if await self.get(key) is None:
            return False
        await self.put(key, value, ttl_s)
        return True

    async def get(self, key: str) -> bytes | None:
        """Return the value, or None where there is none (any more)."""
        found = self._large.get(key) or self._small.get(key)
        if found is None:
            return None
        if found.ends <= self._clock():
            self._take(key)
            return None
        return found.value

    async def drop(self, *keys: str) -> int:
        """Forget them, and return how many there were."""
        return sum(self._take(key) is not None for key in keys)

    async def close(self) -> None:
        """Forget everything."""
        self._large.clear()
        self._small.clear()
        self.held_bytes = 0

    def _take(self, key: str) -> _Entry | None:
        found = self._large.pop(key, None) or self._small.pop(key, None)
        self.held_bytes -= 0 if found is None else found.size
        return found

    def _sweep(self) -> None:
        """Forget what has ended; values end in no order, so that all are looked at, once a second at most."""
        now = self._clock()
        if now - self._swept < _SWEEP_S:
            return
        self._swept = now
        for entries in (self._large, self._small):
            for key in [key for key, entry in entries.items() if entry.ends <= now]:
                self._take(key)
