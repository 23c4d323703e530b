"""How many photos each client may send in a time; judged before the body is read.

A client is its token where tokens are asked for, else its address (of IPv6 the /64, which one household has). Counted
are requests that cost work: uploads, fetches by URL and sockets; questions about jobs and receipts are free. The
counters are two for each client: a window that slides over the last two fixed ones (`limits`, sliding window counter).
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import time
from dataclasses import dataclass

from limits import RateLimitItem, parse_many
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError
from starlette.types import ASGIApp, Receive, Scope, Send

from services.common.telemetry.logs import get_logger
from services.gateway.middleware.auth import token_of
from services.gateway.problems import is_rembg, problem
from services.gateway.storage.open_store import MEMORY

_REDIS_CALL_S = 1.0
_log = get_logger()


@dataclass(frozen=True)
class Rates:
    """The limits, all of which hold, and where they are counted."""

    limits: tuple[RateLimitItem, ...]
    limiter: SlidingWindowCounterRateLimiter

    async def wait_of(self, client: str) -> float:
        """Count a request, and return 0, or in how many seconds `client` may come again."""
        for limit in self.limits:
            if not await self.limiter.hit(limit, client):
                stats = await self.limiter.get_window_stats(limit, client)
                return max(1.0, stats.reset_time - time.time())
        return 0.0


def open_rates(rate: str, store: str) -> Rates:
    """Return the limits of `rate`, counted where jobs are kept, so that several gateways count together.

    Raises:
        ValueError: `rate` is none; the sentence says what is wanted.
    """
    try:
        limits = tuple(parse_many(rate))
    except ValueError:
        limits = ()
    if not limits or any(limit.amount < 1 for limit in limits):
        raise ValueError(f"rate is {rate[:80]!r} (--rate); wanted e.g. 60/minute, or 5/second;1000/day")
    if store == MEMORY:
        return Rates(limits, SlidingWindowCounterRateLimiter(MemoryStorage()))
    address = f"async+redis+{store}" if store.startswith("unix://") else f"async+{store}"
    storage = RedisStorage(
        address,
        wrap_exceptions=True,
        implementation="redispy",
        key_prefix="unflat:rate",
        socket_timeout=_REDIS_CALL_S,
        socket_connect_timeout=_REDIS_CALL_S,
    )
    return Rates(limits, SlidingWindowCounterRateLimiter(storage))


class RateLimit:
    """ASGI layer that answers 429 to who sends too much.

    Args:
        app: what it is around.
        rates: the limits.
        by_token: whether tokens are asked for; else anybody could take a new one for each request.
    """

    def __init__(self, app: ASGIApp, rates: Rates, by_token: bool) -> None:
        self._app = app
        self._rates = rates
        self._by_token = by_token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        wait_s = await self._wait_of(scope) if is_work(scope) else 0.0
        if not wait_s:
            await self._app(scope, receive, send)
            return
        seconds = math.ceil(wait_s)
        response = problem(
            scope,
            429,
            f"this client has sent as many photos as it may for now; try again in {seconds} s",
            code="RATE_LIMITED",
            headers={"Retry-After": str(seconds)},
        )
        await response(scope, receive, send)

    async def _wait_of(self, scope: Scope) -> float:
        try:
            return await self._rates.wait_of(client_of(scope, self._by_token))
        except StorageError as away:  # what cannot be counted is let in: the queue still bounds the work
            _log.warning("rates not counted", reason=str(away)[:200])
            return 0.0


def is_work(scope: Scope) -> bool:
    """Return whether a request costs more than a look."""
    if scope["type"] == "websocket":
        return True
    if scope["type"] != "http":
        return False
    return scope["method"] == "POST" or (is_rembg(scope) and b"url=" in scope["query_string"])


def client_of(scope: Scope, by_token: bool) -> str:
    """Return who sends a request, as a short key that tells no secret."""
    if by_token:
        return "token:" + hashlib.sha256(token_of(scope)).hexdigest()[:16]
    host = (scope.get("client") or ("unknown", 0))[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"host:{host}"
    if address.version == 6 and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return str(address.ipv4_mapped or address) if address.version == 6 else str(address)
