"""GET / and /page/…: the page, its scripts, its style and the photos to try, as files of this package.

They are read once, compressed once, and answered with a fingerprint: a browser asks again each time and is told in
a few bytes that nothing has changed. A policy lets the page load from here and from nowhere else.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

PAGE_PREFIX = "/page/"

_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".jpg": "image/jpeg",
}
_COMPRESSED = frozenset({".html", ".css", ".js", ".svg"})
# blob: photos of the user and textures of the mesh live in the browser only. No inline script or style anywhere.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self' blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class Asset:
    """One file of the page.

    Attributes:
        path: where it is served.
        media_type: as the browser is told.
        body: its bytes.
        gzipped: its bytes for browsers that take gzip; empty for what is compressed already.
    """

    path: str
    media_type: str
    body: bytes
    gzipped: bytes

    @property
    def etag(self) -> str:
        """A fingerprint of the content."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:20]}"'


def page_router() -> APIRouter:
    """Return one route for each file: no path of a request ever becomes a path of the disk."""
    router = APIRouter(include_in_schema=False)
    for asset in page_assets():
        _serve(router, asset)
    return router


def page_assets() -> Iterator[Asset]:
    """Yield the files of the page; `index.html` is served at `/`, the others below `/page/`.

    The 3D viewer's library is among them once `make web` has bundled it; the page does without where it is not.
    """
    for name, file in sorted(_walk(files("services.gateway") / "page", PurePosixPath())):
        ending = PurePosixPath(name).suffix
        if ending not in _MEDIA_TYPES:
            continue
        body = file.read_bytes()
        gzipped = gzip.compress(body, mtime=0) if ending in _COMPRESSED else b""
        yield Asset("/" if name == "index.html" else PAGE_PREFIX + name, _MEDIA_TYPES[ending], body, gzipped)


def _walk(folder: Traversable, below: PurePosixPath) -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        path = below / entry.name
        if entry.is_dir():
            yield from _walk(entry, path)
        else:
            yield str(path), entry


def _serve(router: APIRouter, asset: Asset) -> None:
    headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": _POLICY,
        "Cross-Origin-Opener-Policy": "same-origin",
        "ETag": asset.etag,
        "Vary": "Accept-Encoding",
    }

    async def answer(request: Request) -> Response:
        if request.headers.get("if-none-match") == asset.etag:
            return Response(status_code=304, headers=headers)
        if asset.gzipped and "gzip" in request.headers.get("accept-encoding", ""):
            return Response(asset.gzipped, headers={**headers, "Content-Encoding": "gzip"}, media_type=asset.media_type)
        return Response(asset.body, headers=headers, media_type=asset.media_type)

    router.add_api_route(asset.path, answer, methods=["GET", "HEAD"])
