"""Where jobs and receipts live for a while: in memory for one gateway, in Redis for several.

Keys are short and made by us; values are bytes; each value has its end. What is shared between replicas must be read
anew to be true.
"""

from __future__ import annotations

from typing import Protocol


class Store(Protocol):
    """Bytes under keys, each for so long.

    Every method raises `StageUnavailable` where the store cannot be reached.
    """

    shared: bool
    """Whether other replicas write to it as well."""

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Keep `value` for `ttl_s` seconds."""

    async def replace(self, key: str, value: bytes, ttl_s: float) -> bool:
        """Keep `value` only where the key exists still, and return whether it did."""

    async def get(self, key: str) -> bytes | None:
        """Return the value, or None where there is none (any more)."""

    async def drop(self, *keys: str) -> int:
        """Forget them, and return how many there were."""

    async def close(self) -> None:
        """Let go of connections."""
