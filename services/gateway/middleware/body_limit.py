"""Bodies: not larger than the limit, not slower than it, and complete.

A stated length beyond the limit is refused before the body is read; a body without one is counted chunk by chunk. A
multipart body must end with its closing boundary, or half an upload would pass for a form without a file.
"""

from __future__ import annotations

import asyncio
import time
from email.message import Message as Headers

from starlette.datastructures import Headers as RequestHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.problems import problem

_BODILESS = ("GET", "HEAD", "OPTIONS")  # nobody reads theirs
_EPILOGUE_BYTES = 1024  # what may follow the closing boundary


class BodyLimit:
    """ASGI layer that holds request bodies to `max_bytes` and `timeout_s`."""

    def __init__(self, app: ASGIApp, max_bytes: int, timeout_s: float) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its body watched."""
        if scope["type"] != "http" or scope["method"] in _BODILESS:
            await self._app(scope, receive, send)
            return
        headers = RequestHeaders(scope=scope)
        stated = headers.get("content-length", "")
        if stated.isdecimal() and int(stated) > self._max_bytes:
            response = problem(scope, 413, self._sentence(f"{int(stated) / 2**20:.1f} MiB"), field="file")
            await response(scope, receive, send)
            return
        end = _ClosingBoundary(headers.get("content-type", ""))
        ends = time.monotonic() + self._timeout_s
        received, whole = 0, False

        async def watched() -> Message:
            nonlocal received, whole
            if whole:  # what comes after the body is the end of the connection, in its own time
                return await receive()
            try:
                async with asyncio.timeout(ends - time.monotonic()):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, f"the body did not arrive within {self._timeout_s:g} s") from None
            if message["type"] != "http.request":
                return message
            whole = not message.get("more_body", False)
            chunk: bytes = message.get("body", b"")
            received += len(chunk)
            # HTTPException is the one error that FastAPI lets pass while it reads a form.
            if received > self._max_bytes:
                raise HTTPException(413, self._sentence("longer than that"))
            end.saw(chunk)
            if whole and not end.is_complete():
                raise HTTPException(400, "the multipart body ends before its closing boundary")
            return message

        await self._app(scope, watched, send)

    def _sentence(self, seen: str) -> str:
        return f"the limit for a body is {self._max_bytes >> 20} MiB (--max-upload-mb); this one is {seen}"


class _ClosingBoundary:
    """Remembers the end of a body."""

    def __init__(self, content_type: str) -> None:
        parsed = Headers()
        parsed["content-type"] = content_type
        boundary = parsed.get_param("boundary") if parsed.get_content_maintype() == "multipart" else None
        self._wanted = f"--{boundary}--".encode("latin-1", "replace") if isinstance(boundary, str) else b""
        self._tail = b""

    def saw(self, chunk: bytes) -> None:
        if self._wanted:
            keep = len(self._wanted) + _EPILOGUE_BYTES
            self._tail = (self._tail + chunk[-keep:])[-keep:]

    def is_complete(self) -> bool:
        return self._wanted in self._tail
