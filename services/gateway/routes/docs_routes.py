"""GET /docs: the interactive description of the interface, with every byte from here.

Swagger UI's files lie in the package `fastapi_offline`; what starts them is a script of its own, so that the policy
needs no inline scripts.
"""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from services.gateway.routes.assets import serve

DOCS_PATH = "/docs"
DOCS_PREFIX = "/docs/"

# Swagger UI writes style attributes and draws its icons as data: pictures.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {"Content-Security-Policy": _POLICY}
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
_SWAGGER = ("swagger-ui.css", "swagger-ui-bundle.js")


def docs_router() -> APIRouter:
    """Return the page and its three files."""
    router = APIRouter(include_in_schema=False)
    serve(router, DOCS_PATH, "docs.html", _PAGE.encode(), _HEADERS)
    serve(router, DOCS_PREFIX + "start.js", "start.js", _START.encode(), _HEADERS)
    for name in _SWAGGER:
        serve(router, DOCS_PREFIX + name, name, (files("fastapi_offline") / "static" / name).read_bytes(), _HEADERS)

    @router.get("/redoc")
    @router.get("/api")
    async def elsewhere() -> Response:
        """Lead here from where FastAPI and rembg have their docs."""
        return RedirectResponse(DOCS_PATH)

    return router
