"""What the description of the interface says about answers: schemas, examples, refusals."""

from __future__ import annotations

from typing import Any, TypeAlias

from services.gateway.problems import PROBLEM_TYPE

Responses: TypeAlias = dict[int | str, dict[str, Any]]

BINARY = {"schema": {"type": "string", "format": "binary"}}

_ID = "6f0d3c1b9a7e4d52a1f08c3b7d9e2f64"
_TEXT, _NUMBER = {"type": "string"}, {"type": "number"}
_PROBLEM_SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": {**_TEXT, "description": "one sentence a person can act on"},
        "code": {**_TEXT, "description": "the name a program can act on"},
        "request_id": {**_TEXT, "description": "stands on every log line of this request"},
        "field": {**_TEXT, "description": "the form field at fault"},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}
_RESULT_SCHEMA = {
    "type": ["object", "null"],
    "required": ["media_type", "name", "bytes"],
    "properties": {"media_type": _TEXT, "name": _TEXT, "bytes": {"type": "integer"}},
}
_JOB_SCHEMA = {
    "type": "object",
    "properties": {
        "id": _TEXT,
        "kind": {"enum": ["cutout", "mesh"]},
        "state": {"enum": ["queued", "running", "done", "failed", "cancelled"]},
        "stage": _TEXT,
        "step": _TEXT,
        "fraction": {**_NUMBER, "minimum": 0, "maximum": 1},
        "elapsed_s": _NUMBER,
        "error": {"type": ["object", "null"], "description": "problem JSON of a failed job"},
        "artifacts": {"type": "array", "items": _TEXT},
        "result": _RESULT_SCHEMA,
        "receipt": {"type": ["object", "null"]},
        "created": {**_TEXT, "format": "date-time"},
        "expires": {**_TEXT, "format": "date-time"},
    },
}
_JOB_SCHEMA["required"] = list(_JOB_SCHEMA["properties"])
_NEW_JOB = {
    "id": _ID,
    "kind": "mesh",
    "state": "queued",
    "stage": "",
    "step": "",
    "fraction": 0.0,
    "elapsed_s": 0.0,
    "error": None,
    "artifacts": [],
    "result": None,
    "receipt": None,
    "created": "2026-01-31T12:00:00.000Z",
    "expires": "2026-01-31T12:30:00.000Z",
}
_RUNNING_JOB = {
    **_NEW_JOB,
    "state": "running",
    "stage": "mesher",
    "step": "extract",
    "fraction": 0.62,
    "elapsed_s": 1.4,
    "artifacts": ["preview.png"],
}
# Status: what it means, the code and the sentence of its example.
_REFUSALS = {
    400: ("Not a usable picture, or a malformed body", "INVALID_IMAGE", "the file is empty; wanted a picture"),
    401: ("The token is missing or wrong", "UNAUTHORIZED", "the request carries no valid token"),
    404: ("There is no such thing under this id (any more)", "NOT_FOUND", "there is no job under this id"),
    408: ("The body did not arrive in time", "REQUEST_TIMEOUT", "the body did not arrive within 300 s"),
    409: ("The job is not done, or has failed", "CONFLICT", "this job is running; follow it until it is done"),
    410: ("The bytes had to make room for others", "GONE", "these bytes had to make room for younger ones"),
    413: ("More bytes or pixels than the limit", "IMAGE_TOO_LARGE", "photo is 18000 × 12000 px; the limit is 100 Mpx"),
    415: ("Not a multipart form", "UNSUPPORTED_MEDIA_TYPE", "Content-Type is 'image/jpeg'; wanted multipart/form-data"),
    422: ("An option out of its range, or no subject", "INVALID_OPTION", "kernel_size is 4; wanted an odd number"),
    429: ("Busy; Retry-After says when to come back", "OVERLOADED", "gateway has 8 calls running and 32 waiting"),
    500: ("A defect; its trace is in the log", "INTERNAL", "an internal error happened; its trace is in the log"),
    503: ("A stage or the store is not there", "STAGE_UNAVAILABLE", "the orchestrator does not answer"),
    504: ("The time ran out", "DEADLINE_EXCEEDED", "the time for this photo ran out"),
}


def refusals(*statuses: int) -> Responses:
    """Return problem JSON with an example for each status."""
    return {status: _refusal(status, *_REFUSALS[status]) for status in statuses}


def job_answer(description: str, *, new: bool) -> dict[str, Any]:
    """Return what an answer that is a job looks like."""
    example = _NEW_JOB if new else _RUNNING_JOB
    return {"description": description, "content": {"application/json": {"schema": _JOB_SCHEMA, "example": example}}}


def file_of(description: str, *media_types: str) -> dict[str, Any]:
    """Return what an answer of bytes looks like."""
    return {"description": description, "content": dict.fromkeys(media_types, BINARY)}


def _refusal(status: int, description: str, code: str, detail: str) -> dict[str, Any]:
    words = code.replace("_", " ").lower()
    example = {
        "type": f"urn:unflat:problem:{words.replace(' ', '-')}",
        "title": words.capitalize(),
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": _ID,
    }
    return {"description": description, "content": {PROBLEM_TYPE: {"schema": _PROBLEM_SCHEMA, "example": example}}}


UPLOAD_REFUSALS = refusals(400, 401, 408, 413, 415, 422, 429, 500, 503, 504)
"""Of every route that takes a photo."""
