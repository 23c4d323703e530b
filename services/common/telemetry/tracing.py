"""Traces: one a request, from the gateway to every stage; off until a collector is named (`--otlp-endpoint`).

Callers need no `if`: without an endpoint, or without the extra `tracing`, every function here does nothing. A collector
that is away costs the spans and one line in the log, never a request (`services.common.telemetry.otlp`).
Convention: trace and parent travel in the header `traceparent` (W3C Trace Context), over HTTP and gRPC alike.
"""

from __future__ import annotations

import atexit
from collections.abc import Iterable
from contextlib import AbstractContextManager

from services.common.telemetry.logs import get_logger
from services.common.telemetry.tracer import Fact, Header, Kind, Place, Tracer, Untraced

_log = get_logger()


_tracer: Tracer = Untraced()


def start_tracing(service: str, endpoint: str) -> None:
    """Follow the requests of this process and send their spans to `endpoint` (OTLP over gRPC); "" follows nothing.

    Without the extra `tracing` the log says so, and nothing is followed.
    """
    global _tracer  # noqa: PLW0603 - one tracer a process, as there is one set of metrics
    stop_tracing()
    if not endpoint:
        return
    try:
        from services.common.telemetry.otlp import OtlpTracer
    except ImportError as problem:
        _log.warning("requests are not traced: install the extra `tracing`", endpoint=endpoint, missing=problem.name)
        return
    _tracer = OtlpTracer(service, endpoint)
    atexit.register(stop_tracing)
    _log.info("tracing", endpoint=endpoint)


def stop_tracing() -> None:
    """Send what is left, for a moment, and follow nothing more."""
    global _tracer  # noqa: PLW0603
    _tracer.stop()
    _tracer = Untraced()


def span(
    name: str, *, kind: Kind = "internal", parent: Place | None = None, **facts: Fact
) -> AbstractContextManager[None]:
    """Follow the body as one span of the trace.

    Args:
        name: what it is, of few values: never an id.
        kind: server where a request comes in, client where one goes out.
        parent: what it is a part of, where that is not the span of this thread or task.
        facts: attributes.
    """
    return _tracer.span(name, kind, parent, facts)


def describe(name: str = "", *, failed: bool = False, **facts: Fact) -> None:
    """Put `facts` on the span of this thread or task, and give it its `name` where that is known only now."""
    _tracer.describe(name, failed, facts)


def here() -> Place | None:
    """Return the place of this thread or task, to hang spans of other threads on."""
    return _tracer.here()


def read(headers: Iterable[Header] | None) -> Place | None:
    """Return the place that the caller's headers (or gRPC metadata) name, or None."""
    return _tracer.read(headers or ())


def headers() -> tuple[Header, ...]:
    """Return the headers (or gRPC metadata) that carry the place of this thread or task on."""
    return _tracer.headers()


def exemplar() -> dict[str, str] | None:
    """Return the label that leads from a metric to a trace, or None where nothing is followed."""
    trace_id = _tracer.trace_id()
    return {"trace_id": trace_id} if trace_id else None
