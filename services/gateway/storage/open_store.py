"""Which store it is, by its address."""

from __future__ import annotations

from services.gateway.storage.memory_store import MemoryStore
from services.gateway.storage.store import Store

MEMORY = "memory"
_REDIS = ("redis://", "rediss://", "unix://")


def is_redis(address: str) -> bool:
    """Return whether `address` is one of Redis."""
    return address.startswith(_REDIS)


def open_store(address: str, max_bytes: int) -> Store:
    """Return the store at `address`; nothing is connected before the first use.

    Args:
        address: "memory", or redis://…, rediss://…, unix://….
        max_bytes: of the store in memory.

    Raises:
        ValueError: an address of neither kind; the sentence does not repeat it, for it may hold a password.
    """
    if address == MEMORY:
        return MemoryStore(max_bytes)
    if is_redis(address):
        from services.gateway.storage.redis_store import RedisStore

        return RedisStore(address)
    raise ValueError("the store's address is neither memory nor redis://, rediss:// or unix:// (--store)")
