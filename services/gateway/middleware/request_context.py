"""The outermost layer of every request: its id in and out, security headers, log line, duration, and the last catch.

Labels of the metric are bounded: the route's own path or "other", known methods, the status.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.common.telemetry import tracing
from services.common.telemetry.logs import REQUEST_ID_KEY, accept_request_id, bind_request, get_logger
from services.common.telemetry.metrics import REQUEST_SECONDS, observe
from services.gateway.problems import of_defect

_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})  # probes every few seconds are not worth a line
_CLOSED = "default-src 'none'; frame-ancestors 'none'"
_SECURITY = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "content-security-policy": _CLOSED,
    "cache-control": "no-store",
}
_log = get_logger()


class RequestContext:
    """ASGI layer that follows each request from its first byte to its last.

    Args:
        app: what it is around.
        paths: the fixed paths that exist, for requests that are refused before a route is found.
    """

    def __init__(self, app: ASGIApp, paths: frozenset[str]) -> None:
        self._app = app
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on under its id."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        request_id = accept_request_id(Headers(scope=scope).get(REQUEST_ID_KEY))
        scope.setdefault("state", {})["request_id"] = request_id
        bind_request(request_id)
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
            return
        begin, status = time.perf_counter(), 0

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(MutableHeaders(scope=message), request_id)
            await send(message)

        with _span(scope, request_id):
            try:
                await self._app(scope, receive, observed)
            except Exception as defect:
                _log.error("defect", path=scope["path"], exc_info=defect)
                if status:
                    raise  # half an answer is out; the server closes the connection
                await of_defect(scope)(scope, receive, observed)
            finally:
                self._record(scope, status, time.perf_counter() - begin)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Follow a socket: it has no status, only a beginning and an end."""
        begin = time.perf_counter()
        with _span(scope, scope["state"]["request_id"]):
            try:
                await self._app(scope, receive, send)
            except Exception as defect:
                tracing.describe(failed=True)
                _log.error("defect", path=scope["path"], exc_info=defect)
                raise  # the server closes the socket with 1011
            finally:
                tracing.describe(f"WS {getattr(scope.get('route'), 'path', 'other')}")
                _log.info("socket", seconds=round(time.perf_counter() - begin, 4))

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        path = getattr(scope.get("route"), "path", scope["path"] if scope["path"] in self._paths else "other")
        tracing.describe(f"{method} {path}", failed=status >= 500, status=status)
        observe(REQUEST_SECONDS.labels(f"{method} {path}", str(status)), seconds)
        if scope["path"] not in _QUIET or status >= 500:
            _log.info("request", method=method, route=path, status=status, seconds=round(seconds, 4))


def _span(scope: Scope, request_id: str) -> AbstractContextManager[None]:
    """Follow a request as its caller's, or as a trace of its own; its name is known when its route is."""
    if scope["path"] in _QUIET:
        return nullcontext()
    caller = tracing.read(Headers(scope=scope).items())
    return tracing.span("HTTP", kind="server", parent=caller, request_id=request_id)


def _add_headers(headers: MutableHeaders, request_id: str) -> None:
    headers[REQUEST_ID_KEY] = request_id
    for name, value in _SECURITY.items():
        headers.setdefault(name, value)
