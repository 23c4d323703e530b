"""GET /docs: the interactive description of the interface, with every byte from here.

Swagger UI's files lie in the package `fastapi_offline`; what starts them is a script of its own, so that the policy
needs no inline scripts.
"""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter
from starlette.responses import HTMLResponse, RedirectResponse, Response

DOCS_PATH = "/docs"
DOCS_PREFIX = "/docs/"

# Swagger UI writes style attributes and draws its icons as data: pictures.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>unflat: the interface</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</html>
"""
_START = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: true,
  validatorUrl: null,
  docExpansion: "list",
  defaultModelsExpandDepth: -1,
});
"""
_MEDIA_TYPES = {"swagger-ui.css": "text/css; charset=utf-8", "swagger-ui-bundle.js": "text/javascript; charset=utf-8"}


def docs_router() -> APIRouter:
    """Return the page and its three files."""
    router = APIRouter(include_in_schema=False)

    @router.get(DOCS_PATH)
    async def docs() -> Response:
        return HTMLResponse(_PAGE, headers=_HEADERS)

    @router.get(DOCS_PREFIX + "start.js")
    async def start() -> Response:
        return Response(_START, headers=_HEADERS, media_type="text/javascript; charset=utf-8")

    @router.get("/redoc")
    @router.get("/api")
    async def elsewhere() -> Response:
        """Lead here from where FastAPI and rembg have their docs."""
        return RedirectResponse(DOCS_PATH)

    for name, media_type in _MEDIA_TYPES.items():
        _serve(router, name, media_type)
    return router


def _serve(router: APIRouter, name: str, media_type: str) -> None:
    file = files("fastapi_offline") / "static" / name

    async def asset() -> Response:
        return Response(file.read_bytes(), headers=_HEADERS, media_type=media_type)

    router.add_api_route(DOCS_PREFIX + name, asset, methods=["GET"])
