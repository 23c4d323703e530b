"""Bearer token, compared in constant time, before a byte of the body is read."""

from __future__ import annotations

import hmac

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from services.gateway.page_routes import PAGE_PREFIX
from services.gateway.problems import problem

# Probes have no token, and the description of a public interface is no secret; nor is the page, which asks for it.
OPEN_PATHS = frozenset(
    {"/", "/healthz", "/readyz", "/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect", "/api"}
)


class BearerAuth:
    """ASGI layer that answers 401 unless the request carries the token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http" or _is_open(scope["path"]) or self._is_allowed(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        response = problem(
            scope,
            401,
            "the request carries no valid token; wanted the header `Authorization: Bearer <token>`",
            headers={"WWW-Authenticate": "Bearer"},
        )
        await response(scope, receive, send)

    def _is_allowed(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        return (
            hmac.compare_digest(given.strip().encode("latin-1", "replace"), self._token) and scheme.lower() == "bearer"
        )


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith(PAGE_PREFIX)
