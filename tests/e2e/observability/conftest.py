"""One whole system for all tests here, with a trace collector that stands in, and what was asked of it."""

from __future__ import annotations

import re
import threading
import urllib.request
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_service

from services.cli.local_services import LocalServices, LocalServicesOptions
from services.common.free_ports import free_port
from tests.waiting import PATIENCE_S, until

ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Span:
    """A span as the collector got it; ids in hex."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    facts: dict[str, str]


@dataclass
class Collector:
    """An OTLP endpoint that keeps what it gets."""

    spans: list[Span] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)
    address: str = ""

    def wait_for(self, what: Callable[[list[Span]], bool]) -> list[Span]:
        """Return the spans once `what` holds of them."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: what(self.spans), PATIENCE_S), [
                (s.service, s.name) for s in self.spans
            ]
            return list(self.spans)

    def export(self, request: Any, context: Any) -> Any:
        """Take a batch."""
        del context
        with self.arrived:
            for batch in request.resource_spans:
                service = next(a.value.string_value for a in batch.resource.attributes if a.key == "service.name")
                for scope in batch.scope_spans:
                    self.spans += [
                        Span(
                            service.removeprefix("unflat-"),
                            span.name,
                            span.trace_id.hex(),
                            span.span_id.hex(),
                            span.parent_span_id.hex(),
                            {a.key: a.value.string_value for a in span.attributes},
                        )
                        for span in scope.spans
                    ]
            self.arrived.notify_all()
        return trace_service.ExportTraceServiceResponse()


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    """A collector on a port of its own."""
    one = Collector()
    server = grpc.server(futures.ThreadPoolExecutor(4))
    handler = grpc.unary_unary_rpc_method_handler(
        one.export,
        request_deserializer=trace_service.ExportTraceServiceRequest.FromString,
        response_serializer=trace_service.ExportTraceServiceResponse.SerializeToString,
    )
    name = "opentelemetry.proto.collector.trace.v1.TraceService"
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, {"Export": handler}),))
    one.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield one
    server.stop(None).wait()


@pytest.fixture(scope="session")
def local_services(
    tmp_path_factory: pytest.TempPathFactory, depth_network: Path, collector: Collector
) -> Iterator[LocalServices]:
    """The whole system with embedded backends and a small depth network; its requests are traced."""
    environment = {
        "UNFLAT_MODELS": str(tmp_path_factory.mktemp("empty-store")),
        "UNFLAT_DEPTH_BACKEND": f"onnx:{depth_network}?size=252",
        "UNFLAT_OTLP_ENDPOINT": f"http://{collector.address}",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
    }
    with LocalServices(LocalServicesOptions(http_port=free_port(), environment=environment)) as running:
        yield running


@pytest.fixture(scope="session")
def photo() -> bytes:
    """A small photo: what is followed is its way, not its looks."""
    pixels = cv2.imread(str(ROOT / "examples" / "mug.jpg"))
    size = (320, round(320 * pixels.shape[0] / pixels.shape[1]))
    return bytes(cv2.imencode(".jpg", cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))[1])


@pytest.fixture(scope="session")
def caller() -> tuple[str, str]:
    """Trace and span of the one who asks for the mesh."""
    return "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture(scope="session")
def counted(local_services: LocalServices, caller: tuple[str, str], photo: bytes) -> Any:
    """What each service counts, as Prometheus asks for it, after one mesh over HTTP whose caller has a trace."""
    boundary = "parts"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="mug.jpg"\r\n\r\n'.encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{local_services.processes['gateway'].port}/generate-mesh",
        data=head + photo + f"\r\n--{boundary}--\r\n".encode(),
        headers={
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "traceparent": f"00-{caller[0]}-{caller[1]}-01",
        },
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        assert answer.status == 200
        answer.read()
    ports = {service: said["metrics_port"] for service, said in local_services.addresses().items()}
    return {service: until(lambda port=port: _metrics(port)) for service, port in ports.items()}


@pytest.fixture(scope="session")
def asked(local_services: LocalServices, counted: Any) -> LocalServices:
    """The system after that mesh."""
    del counted
    return local_services


def _metrics(port: int) -> str:
    """Return the metrics once they have the call: an answer may arrive before it is counted."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        text: str = answer.read().decode()
    calls = r'^unflat_request_seconds_count\{code="(OK|200)",method="[^"]*(generate-mesh|GenerateMesh|Segment|Depth)"'
    return text if re.search(calls, text, re.M) else ""
