"""Structured logs: JSON for machines, aligned text on a terminal, the request id on every line of a request."""

from __future__ import annotations

import io
import logging
import sys
import uuid
from typing import Any, Literal

import structlog
from structlog.typing import EventDict

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "json", "human"]

REQUEST_ID_KEY = "x-request-id"  # gRPC metadata and HTTP header alike
_LONGEST_REQUEST_ID = 64  # a caller's id is quoted in logs and metadata


class _CurrentStderr(io.StringIO):
    """Whatever stderr is when a line is written, not what it was when logs were configured."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def configure_logs(service: str, level: Level = "info", form: Format = "auto") -> None:
    """Send all logs of this process to stderr, one event a line, named by `service`."""
    human = form == "human" or (form == "auto" and sys.stderr.isatty())

    def name_service(_: Any, __: str, event: EventDict) -> EventDict:
        return {**event, "service": service}  # not bound: threads of a pool do not inherit what is bound here

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            name_service,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer() if human else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(_CurrentStderr()),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(name)s: %(message)s")
    structlog.contextvars.clear_contextvars()


def get_logger() -> structlog.stdlib.BoundLogger:
    """Return the logger; call it with a fact and its fields: `log.info("model loaded", seconds=1.2)`."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger()
    return logger


def bind_request(request_id: str) -> None:
    """Put `request_id` on every following line of this thread or task."""
    structlog.contextvars.bind_contextvars(request_id=request_id)


def new_request_id() -> str:
    """Return a fresh request id."""
    return uuid.uuid4().hex[:16]


def accept_request_id(given: str | None) -> str:
    """Return the caller's request id if it is short and printable ASCII, a fresh one otherwise."""
    printable = given is not None and given.isascii() and all(c.isalnum() or c in "-_.:" for c in given)
    if given and printable and len(given) <= _LONGEST_REQUEST_ID:
        return given
    return new_request_id()
