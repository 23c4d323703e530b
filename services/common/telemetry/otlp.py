"""OpenTelemetry behind `services.common.telemetry.tracing`: spans wait in a bounded queue and go out by OTLP.

Imported only where a collector is named: it needs the extra `tracing`. Sampling and batching are OpenTelemetry's own
settings (`OTEL_TRACES_SAMPLER`, `OTEL_BSP_…`); by default every request is followed, or what its caller decided.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit

import structlog
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from services.common.telemetry.logs import get_logger
from services.common.telemetry.tracer import Fact, Header, Kind, Place
from services.common.version import VERSION

_EXPORT_S = 3.0  # longest time for one batch, retries included
_STOP_S = 2.0  # how long the end of a process may wait for a collector
_KINDS = {
    "internal": trace.SpanKind.INTERNAL,
    "server": trace.SpanKind.SERVER,
    "client": trace.SpanKind.CLIENT,
}
_CARRIED = ("traceparent", "tracestate")
_propagator = TraceContextTextMapPropagator()
_log = get_logger()


class OtlpTracer:
    """Follows the requests of one process.

    Args:
        service: its short name, e.g. depth.
        endpoint: host:port or http://host:port of the collector; https:// for TLS.
        exporter: takes the spans instead, in tests.
    """

    def __init__(self, service: str, endpoint: str, exporter: SpanExporter | None = None) -> None:
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # `_Sayer` says it, once
        what = {
            "service.name": f"unflat-{service}",
            "service.version": VERSION,
            "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
        }
        self._provider = TracerProvider(resource=Resource.create(what), shutdown_on_exit=False)
        sayer = _Sayer(exporter or _open(endpoint), endpoint)
        self._provider.add_span_processor(BatchSpanProcessor(sayer))
        self._tracer = self._provider.get_tracer("unflat", VERSION)

    @contextmanager
    def span(self, name: str, kind: Kind, parent: Place | None, facts: dict[str, Fact]) -> Iterator[None]:
        """Follow the body as a span that is the current one."""
        under = parent if isinstance(parent, otel_context.Context) else None
        # What a defect says of itself stays in the log: no texts of exceptions on spans.
        with self._tracer.start_as_current_span(
            name, under, _KINDS[kind], facts, record_exception=False, set_status_on_exception=False
        ):
            if kind == "server":
                structlog.contextvars.bind_contextvars(trace_id=self.trace_id())
            try:
                yield
            except Exception:
                if kind != "server":  # whose fault it is stands in its status, which the caller knows
                    trace.get_current_span().set_status(trace.StatusCode.ERROR)
                raise

    def describe(self, name: str, failed: bool, facts: dict[str, Fact]) -> None:
        """Add to the current span."""
        span = trace.get_current_span()
        if name:
            span.update_name(name)
        if failed:
            span.set_status(trace.StatusCode.ERROR)
        span.set_attributes(facts)

    def here(self) -> Place | None:
        """Return the current context."""
        return otel_context.get_current()

    def read(self, headers: Iterable[Header]) -> Place | None:
        """Return the context that `traceparent` names: an empty one, a new trace, where it is missing or malformed."""
        carrier = {key.lower(): value for key, value in headers if key.lower() in _CARRIED}
        return _propagator.extract(carrier, otel_context.Context())

    def headers(self) -> tuple[Header, ...]:
        """Return `traceparent` of the current span."""
        carrier: dict[str, str] = {}
        _propagator.inject(carrier)
        return tuple(carrier.items())

    def trace_id(self) -> str:
        """Return the current trace's id, 32 hex digits; "" outside of one, or where it is not sampled."""
        context = trace.get_current_span().get_span_context()
        return trace.format_trace_id(context.trace_id) if context.is_valid and context.trace_flags.sampled else ""

    def stop(self) -> None:
        """Send what is left, no longer than a moment."""
        ending = threading.Thread(target=self._provider.shutdown, name="trace-end", daemon=True)
        ending.start()
        ending.join(_STOP_S)


class _Sayer(SpanExporter):
    """Passes spans on, and says once when the collector goes away and once when it is back."""

    def __init__(self, inner: SpanExporter, endpoint: str) -> None:
        self._inner = inner
        self._endpoint = endpoint
        self._away = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._inner.export(spans)
        away = result is not SpanExportResult.SUCCESS
        if away and not self._away:
            _log.warning("the trace collector does not answer; its spans are dropped", endpoint=self._endpoint)
        if self._away and not away:
            _log.info("the trace collector answers again", endpoint=self._endpoint)
        self._away = away
        return result

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._inner.force_flush(timeout_millis)


def _open(endpoint: str) -> SpanExporter:
    parts = urlsplit(endpoint if "://" in endpoint else f"//{endpoint}")
    return OTLPSpanExporter(parts.netloc or endpoint, insecure=parts.scheme != "https", timeout=_EXPORT_S)
