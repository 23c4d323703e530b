"""The store of several gateways: Redis, each value with its own end.

Redis bounds the bytes itself: set `maxmemory`, and `maxmemory-policy volatile-ttl`, so that what would end first makes
room. Every call has a short time: a Redis that is away is a sentence, not a request that hangs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisError

from services.common.errors import StageUnavailable
from services.common.telemetry.logs import get_logger

_PREFIX = "unflat:"
_CONNECT_S = 2.0
_CALL_S = 10.0  # a mesh of some ten megabytes on a slow network
_RETRIES = 2  # a connection that was closed while idle is opened anew
_RETRY_AFTER_S = 2.0

T = TypeVar("T")
_log = get_logger()


class RedisStore:
    """Keeps bytes in Redis.

    Args:
        url: redis://host:port/0, rediss:// for TLS, unix:///path.
    """

    shared = True

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(
            url,
            socket_connect_timeout=_CONNECT_S,
            socket_timeout=_CALL_S,
            retry=Retry(ExponentialBackoff(cap=0.2, base=0.02), _RETRIES),
            health_check_interval=30,
        )

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Keep `value` for `ttl_s` seconds."""
        await _asked(lambda: self._redis.set(_PREFIX + key, value, px=_ms(ttl_s)))

    async def replace(self, key: str, value: bytes, ttl_s: float) -> bool:
        """Keep `value` only where the key exists still, and return whether it did."""
        return bool(await _asked(lambda: self._redis.set(_PREFIX + key, value, px=_ms(ttl_s), xx=True)))

    async def get(self, key: str) -> bytes | None:
        """Return the value, or None where there is none (any more)."""
        found = await _asked(lambda: self._redis.get(_PREFIX + key))
        return found.encode() if isinstance(found, str) else found

    async def drop(self, *keys: str) -> int:
        """Forget them, and return how many there were."""
        return int(await _asked(lambda: self._redis.unlink(*(_PREFIX + key for key in keys))))

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


async def _asked(call: Callable[[], Awaitable[T]]) -> T:
    try:
        return await call()
    except (TimeoutError, RedisError, OSError) as problem:
        _log.warning("store away", reason=f"{type(problem).__name__}: {problem}"[:200])
        raise StageUnavailable(
            "the store of jobs and receipts does not answer or is full; try again soon", retry_after_s=_RETRY_AFTER_S
        ) from None


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
