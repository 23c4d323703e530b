"""GET / and /page/…: the page, its scripts, its style and the photos to try, as files of this package."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath

from fastapi import APIRouter

from services.gateway.routes.assets import MEDIA_TYPES, serve

PAGE_PREFIX = "/page/"

# blob: photos of the user and textures of the mesh live in the browser only. No inline script or style anywhere.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self' blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {"Content-Security-Policy": _POLICY, "Cross-Origin-Opener-Policy": "same-origin"}


def page_router() -> APIRouter:
    """Return one route for each file."""
    router = APIRouter(include_in_schema=False)
    for path, file in page_files().items():
        serve(router, path, file.name, file.read_bytes(), _HEADERS)
    return router


def page_files() -> dict[str, Traversable]:
    """Return the files of the page by their paths; `index.html` is served at `/`, the others below `/page/`.

    The 3D viewer's library is among them once `make web` has bundled it; the page does without where it is not.
    """
    found = sorted(_walk(files("services.gateway") / "page", PurePosixPath()))
    return {"/" if name == "index.html" else PAGE_PREFIX + name: file for name, file in found}


def _walk(folder: Traversable, below: PurePosixPath) -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        path = below / entry.name
        if entry.is_dir():
            yield from _walk(entry, path)
        elif path.suffix in MEDIA_TYPES:
            yield str(path), entry
