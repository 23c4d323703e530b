"""The store of a single gateway: bounded in bytes; what is full makes room by forgetting what is used least.

Large values (pictures, meshes) go first: a record of a few kilobytes that says where a job is must not leave because
somebody's mesh came in.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from cachetools import TLRUCache

from services.common.errors import Overloaded

_LARGE_BYTES = 64 << 10  # records and receipts stay below it
_OVERHEAD_BYTES = 500  # of a key, its entry and its bookkeeping: many small values count as well


@dataclass(frozen=True)
class _Entry:
    value: bytes
    ttl_s: float

    @property
    def size(self) -> int:
        return len(self.value) + _OVERHEAD_BYTES


_Entries: TypeAlias = TLRUCache[str, _Entry]


class MemoryStore:
    """Keeps bytes in this process; used from the event loop only.

    Args:
        max_bytes: of all values together.
        clock: monotonic seconds.
    """

    shared = False

    def __init__(self, max_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        def entries() -> _Entries:
            return TLRUCache(
                max_bytes, ttu=lambda _, entry, now: now + entry.ttl_s, timer=clock, getsizeof=lambda entry: entry.size
            )

        self._max_bytes = max_bytes
        self._large, self._small = entries(), entries()

    @property
    def held_bytes(self) -> int:
        """Bytes of all values that have not ended."""
        return int(self._large.currsize + self._small.currsize)

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Keep `value`; what was used least recently leaves where it would not fit beside the others.

        Raises:
            Overloaded: it is larger than all that may be kept.
        """
        entry = _Entry(value, ttl_s)
        if entry.size > self._max_bytes:
            raise Overloaded(
                f"a result of {len(value) / 2**20:.1f} MiB does not fit the store of {self._max_bytes >> 20} MiB "
                "(--store-mb)"
            )
        await self.drop(key)
        while self.held_bytes + entry.size > self._max_bytes:
            (self._large or self._small).popitem()
        (self._large if entry.size > _LARGE_BYTES else self._small)[key] = entry

    async def replace(self, key: str, value: bytes, ttl_s: float) -> bool:
        """Keep `value` only where the key exists still, and return whether it did."""
        if await self.get(key) is None:
            return False
        await self.put(key, value, ttl_s)
        return True

    async def get(self, key: str) -> bytes | None:
        """Return the value, or None where there is none (any more)."""
        found = self._large.get(key) or self._small.get(key)
        return None if found is None else found.value

    async def drop(self, *keys: str) -> int:
        """Forget them, and return how many there were."""
        return sum(cache.pop(key, None) is not None for key in keys for cache in (self._large, self._small))

    async def close(self) -> None:
        """Forget everything."""
        self._large.clear()
        self._small.clear()
