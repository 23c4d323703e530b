"""Traces: nothing without a collector, one trace across calls, and no harm from a collector that is away."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
import pytest
from opentelemetry.sdk.trace.export import in_memory_span_exporter as sdk
from prometheus_client import Histogram

from services.common.errors import InvalidImage, StageUnavailable
from services.common.serving.interceptors import ErrorInterceptor
from services.common.telemetry import metrics, otlp, tracing
from services.common.telemetry.tracing import start_tracing, stop_tracing
from unflat.v1 import status_pb2, status_pb2_grpc

METHOD = "unflat.v1.StatusService/GetServiceStatus"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A call returns the finished spans by name."""
    exporter = sdk.InMemorySpanExporter()
    tracer = otlp.OtlpTracer("tested", "nowhere", exporter)
    monkeypatch.setattr(tracing, "_tracer", tracer)

    def finished() -> dict[str, Any]:
        tracer._provider.force_flush()
        return {span.name: span for span in exporter.get_finished_spans()}

    yield finished
    tracer.stop()


class _Status(status_pb2_grpc.StatusServiceServicer):
    """Answers, or raises what it is told to."""

    def __init__(self, problem: Exception | None = None) -> None:
        self._problem = problem

    def GetServiceStatus(self, request: Any, context: Any) -> status_pb2.GetServiceStatusResponse:
        if self._problem:
            raise self._problem
        with tracing.span("inside"):
            return status_pb2.GetServiceStatusResponse(service="tested")


def _call(problem: Exception | None = None) -> None:
    """Call a guarded server with the headers of the current span."""
    server = grpc.server(futures.ThreadPoolExecutor(2), interceptors=[ErrorInterceptor()])
    status_pb2_grpc.add_StatusServiceServicer_to_server(_Status(problem), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = status_pb2_grpc.StatusServiceStub(channel)
            stub.GetServiceStatus(status_pb2.GetServiceStatusRequest(), timeout=20, metadata=tracing.headers())
    finally:
        server.stop(None).wait()


def test_without_an_endpoint_nothing_is_followed():
    start_tracing("tested", "")
    with tracing.span("nothing", kind="server", what=1):
        tracing.describe("still nothing", failed=True)
        assert tracing.headers() == ()
        assert tracing.exemplar() is None
        assert tracing.here() is tracing.read([("traceparent", f"00-{'1' * 32}-{'2' * 16}-01")]) is None


def test_without_the_extra_the_log_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "services.common.telemetry.otlp", None)
    start_tracing("tested", "http://127.0.0.1:4317")
    assert "install the extra `tracing`" in "".join(capsys.readouterr())
    assert tracing.headers() == ()


def test_a_call_and_what_is_inside_hang_on_the_caller(spans):
    with tracing.span("caller", kind="client"):
        _call()
    caller, call, inside = (spans()[name] for name in ("caller", METHOD, "inside"))
    assert call.parent.span_id == caller.context.span_id
    assert inside.parent.span_id == call.context.span_id
    assert {span.context.trace_id for span in (caller, call, inside)} == {caller.context.trace_id}


def test_a_call_from_nowhere_begins_a_trace_of_its_own(spans):
    _call()
    assert spans()[METHOD].parent is None


def test_a_malformed_traceparent_begins_a_trace_of_its_own(spans):
    with tracing.span("call", kind="server", parent=tracing.read([("traceparent", "00-nonsense")])):
        pass
    assert spans()["call"].parent is None


def test_our_faults_mark_a_span_and_the_callers_do_not(spans):
    for problem, marked in ((StageUnavailable("it is away"), True), (InvalidImage("not a picture"), False)):
        with pytest.raises(grpc.RpcError):
            _call(problem)
        span = spans()[METHOD]
        assert (span.status.status_code.name == "ERROR") is marked
        assert span.attributes["code"] == problem.grpc_status


def test_no_text_of_an_exception_is_on_a_span(spans):
    with pytest.raises(grpc.RpcError):
        _call(RuntimeError("secret"))
    assert "secret" not in spans()[METHOD].to_json()


def test_a_span_in_another_thread_hangs_on_the_place_it_was_given(spans):
    with tracing.span("request"):
        place = tracing.here()

        def work() -> None:
            with tracing.span("work", parent=place):
                pass

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert spans()["work"].parent.span_id == spans()["request"].context.span_id


def test_a_histogram_carries_the_trace_as_an_exemplar(spans):
    histogram = Histogram("tested_seconds", "Tested.", registry=None)
    with tracing.span("request"):
        metrics.observe(histogram, 0.3)
        trace_id = tracing.exemplar()
    metrics.observe(histogram, 100.0)
    exemplars = [sample.exemplar.labels for sample in histogram.collect()[0].samples if sample.exemplar]
    assert exemplars == [trace_id]


def test_a_collector_that_is_away_costs_one_line_and_no_call(monkeypatch, capsys):
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    monkeypatch.setattr(otlp, "_EXPORT_S", 0.1)
    exports = []
    export = otlp._Sayer.export
    monkeypatch.setattr(otlp._Sayer, "export", lambda self, batch: exports.append(batch) or export(self, batch))
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: every connection is refused
        start_tracing("tested", f"http://127.0.0.1:{closed.getsockname()[1]}")
        try:
            deadline = time.monotonic() + 60
            while len(exports) < 3:
                _call()
                assert time.monotonic() < deadline
        finally:
            stop_tracing()
    said = "".join(capsys.readouterr())
    assert said.count("the trace collector does not answer") == 1
    assert "opentelemetry" not in said


def test_a_collector_that_hangs_does_not_hold_up_the_end(monkeypatch):
    monkeypatch.setattr(otlp, "_STOP_S", 0.2)
    with socket.socket() as hanging:
        hanging.bind(("127.0.0.1", 0))
        hanging.listen()
        start_tracing("tested", f"127.0.0.1:{hanging.getsockname()[1]}")
        with tracing.span("last"):
            pass
        ended = threading.Thread(target=stop_tracing, daemon=True)
        ended.start()
        ended.join(60)
        assert not ended.is_alive()
