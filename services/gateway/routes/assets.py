"""Files for browsers: compressed once, and answered with a fingerprint, so that what has not changed is not sent again.

By hand and not StaticFiles with GZipMiddleware, which compresses for each request (18 ms for the 3D viewer); and no
path of a request ever becomes a path of the disk.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
from collections.abc import Mapping
from pathlib import PurePosixPath

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".jpg": "image/jpeg",
}
_COMPRESSED = frozenset({".html", ".css", ".js", ".svg"})


def serve(router: APIRouter, path: str, name: str, body: bytes, headers: Mapping[str, str]) -> None:
    """Answer `path` with a file.

    Args:
        router: gets the route.
        path: where it is served.
        name: the file's; its ending says what it is.
        body: its bytes.
        headers: of its own, such as a Content-Security-Policy.
    """
    ending = PurePosixPath(name).suffix
    gzipped = _gzip(body) if ending in _COMPRESSED else b""
    etag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
    sent = {**headers, "Cache-Control": "no-cache", "ETag": etag, "Vary": "Accept-Encoding"}

    async def answer(request: Request) -> Response:
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=sent)
        if gzipped and "gzip" in request.headers.get("accept-encoding", ""):
            return Response(gzipped, headers={**sent, "Content-Encoding": "gzip"}, media_type=MEDIA_TYPES[ending])
        return Response(body, headers=sent, media_type=MEDIA_TYPES[ending])

    router.add_api_route(path, answer, methods=["GET", "HEAD"])


@functools.cache
def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)
