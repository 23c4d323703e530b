"""Errors as people and programs read them: RFC 9457 problem JSON, and `{"detail": …}` on the rembg path.

    {"type": "urn:unflat:problem:invalid-image", "title": "Invalid image", "status": 400,
     "detail": "the file is empty; wanted a picture", "code": "INVALID_IMAGE", "field": "file", "request_id": "…"}

`detail` is the sentence of `services.common.errors`. What is not an error of ours is logged and answered with a fixed
sentence.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from services.common.errors import UnflatError
from services.common.telemetry.logs import get_logger
from services.gateway.callers import CallerLeftError

PROBLEM_TYPE = "application/problem+json"
REMBG_PATH = "/api/remove"

_CALLER_LEFT = 499  # nginx's number; nobody receives it, it stands in logs and metrics
_FORM_TYPES = ("multipart/form-data", "application/x-www-form-urlencoded")
_log = get_logger()


def request_id_of(scope: Scope) -> str:
    """Return the id that the outermost layer gave the request."""
    found: str = scope.get("state", {}).get("request_id", "")
    return found


def problem(
    scope: Scope,
    status: int,
    detail: str,
    *,
    code: str = "",
    field: str = "",
    errors: Sequence[dict[str, str]] = (),
    headers: dict[str, str] | None = None,
) -> Response:
    """Return an error answer in the shape that the path of `scope` promises.

    Args:
        scope: of the request.
        status: HTTP status.
        detail: one sentence a person can act on.
        code: UPPER_SNAKE name of the error; the status' own name where empty.
        field: the form or query field at fault.
        errors: all fields at fault, with what was wrong.
        headers: further headers.
    """
    if is_rembg(scope):
        return JSONResponse({"detail": detail}, status, headers)
    body = _body(status, code or HTTPStatus(status).name, detail, request_id_of(scope), field)
    if errors:
        body["errors"] = list(errors)
    return JSONResponse(body, status, headers, media_type=PROBLEM_TYPE)


def problem_body(error: UnflatError, request_id: str) -> dict[str, Any]:
    """Return the problem JSON of an error of ours, where it is told in something else than an answer of its own."""
    return _body(error.http_status, error.reason, error.message, request_id, error.field)


def is_rembg(scope: Scope) -> bool:
    """Return whether the request is on the path that speaks rembg's contract."""
    path: str = scope["path"]
    return path == REMBG_PATH or path.startswith(REMBG_PATH + "/")


def of_unflat_error(scope: Scope, error: UnflatError) -> Response:
    """Return the answer for an error of ours; 429 and 503 say when to come back."""
    headers = {}
    if error.http_status in (429, 503):
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s or 0)))
    return problem(
        scope, error.http_status, error.message, code=error.reason, field=error.field, headers=headers or None
    )


def of_defect(scope: Scope) -> Response:
    """Return the fixed answer for a defect, whose trace is in the log."""
    sentence = f"an internal error happened; its trace is in the log under request id {request_id_of(scope)}"
    return problem(scope, 500, sentence, code="INTERNAL")


def install_handlers(app: FastAPI) -> None:
    """Let `app` answer every error in the shapes above."""
    app.add_exception_handler(UnflatError, _on_unflat_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(CallerLeftError, _on_caller_left)


async def _on_unflat_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, UnflatError)
    _log.info("refused", reason=error.reason, detail=error.message)
    return of_unflat_error(request.scope, error)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problem(request.scope, error.status_code, str(error.detail), headers=dict(error.headers or {}))


async def _on_caller_left(request: Request, error: Exception) -> Response:
    del request, error
    return Response(status_code=_CALLER_LEFT)


async def _on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if is_rembg(request.scope):
        return JSONResponse({"detail": [_as_fastapi(found) for found in error.errors()]}, 422)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method == "POST" and media_type not in _FORM_TYPES:
        shown = f"Content-Type is {media_type[:80]!r}" if media_type else "the request has no Content-Type"
        return problem(request.scope, 415, f'{shown}; wanted multipart/form-data with a part "file"', field="file")
    errors = [{"field": _field(found["loc"]), "message": str(found["msg"])} for found in error.errors()]
    sentence = "; ".join(f"{found['field']}: {found['message']}" for found in errors[:5])
    return problem(
        request.scope, 422, sentence, code="INVALID_OPTION", field=errors[0]["field"] if errors else "", errors=errors
    )


def _body(status: int, code: str, detail: str, request_id: str, field: str) -> dict[str, Any]:
    words = code.replace("_", " ").lower()
    body: dict[str, Any] = {
        "type": f"urn:unflat:problem:{words.replace(' ', '-')}",
        "title": words.capitalize(),
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
    }
    return {**body, "field": field} if field else body


def _field(loc: Iterable[object]) -> str:
    return ".".join(str(part) for part in loc if part not in ("body", "query", "path", "header"))


def _as_fastapi(found: dict[str, Any]) -> dict[str, Any]:
    """Keep what JSON can hold: type, loc, msg, input and bounds."""
    given = found.get("input")
    shape = {
        "type": found["type"],
        "loc": list(found["loc"]),
        "msg": found["msg"],
        "input": given if given is None or isinstance(given, str) else str(type(given).__name__),
    }
    bounds = {name: value for name, value in found.get("ctx", {}).items() if isinstance(value, (int, str))}
    return {**shape, "ctx": bounds} if bounds else shape
