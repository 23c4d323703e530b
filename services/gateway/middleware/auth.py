"""Bearer tokens, compared in constant time, before a byte of the body is read.

A browser cannot set headers on a WebSocket: there the token may be a subprotocol beside "unflat", as in
`new WebSocket(url, ["unflat", "bearer." + base64url(token)])`. What a page of another origin opens is refused, for a
browser sends its user's network position along with every socket.
"""

from __future__ import annotations

import base64
import binascii
import hmac

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from services.gateway.problems import problem
from services.gateway.routes.docs_routes import DOCS_PATH, DOCS_PREFIX
from services.gateway.routes.page_routes import PAGE_PREFIX

# Probes have no token, and the description of a public interface is no secret; nor is the page, which asks for it.
OPEN_PATHS = frozenset({"/", "/healthz", "/readyz", DOCS_PATH, "/redoc", "/api", "/openapi.json"})
_SUBPROTOCOL = "bearer."


class BearerAuth:
    """ASGI layer that answers 401 unless the request carries one of the tokens."""

    def __init__(self, app: ASGIApp, tokens: tuple[str, ...]) -> None:
        self._app = app
        self._tokens = tuple(token.encode() for token in tokens)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "lifespan" or _is_open(scope["path"]) or self._is_allowed(scope):
            await self._app(scope, receive, send)
            return
        response = problem(
            scope,
            401,
            "the request carries no valid token; wanted the header `Authorization: Bearer <token>`",
            headers={"WWW-Authenticate": "Bearer"},
        )
        await response(scope, receive, send)

    def _is_allowed(self, scope: Scope) -> bool:
        given = token_of(scope)
        # All are compared, so that the time says nothing about which one is near.
        matches = [hmac.compare_digest(given, token) for token in self._tokens]
        return any(matches)


class SameOrigin:
    """ASGI layer that refuses WebSockets of pages from elsewhere; programs send no Origin and pass.

    Args:
        app: what it is around.
        origins: others that may open sockets; "*" is all.
    """

    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the socket on, or refuse it with 403."""
        if scope["type"] != "websocket" or self._is_allowed(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        response = problem(scope, 403, "pages of this origin may not open sockets here (--cors-origins)")
        await response(scope, receive, send)

    def _is_allowed(self, headers: Headers) -> bool:
        origin = headers.get("origin")
        if origin is None or "*" in self._origins or origin in self._origins:
            return True
        return origin.partition("://")[2] == headers.get("host")


def token_of(scope: Scope) -> bytes:
    """Return the token that a request carries, empty where it carries none."""
    scheme, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return given.strip().encode("latin-1", "replace")
    for offered in scope.get("subprotocols", ()):
        if offered.startswith(_SUBPROTOCOL):
            return _decoded(offered.removeprefix(_SUBPROTOCOL))
    return b""


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith((PAGE_PREFIX, DOCS_PREFIX))


def _decoded(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""
