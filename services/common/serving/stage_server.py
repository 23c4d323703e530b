"""How every gRPC service starts, says how it is, and stops.

Order of a start: bind (a port in use ends the process with a sentence), health says NOT_SERVING, addresses are
announced, the model loads and warms up, health says SERVING. Order of a stop (SIGTERM or Ctrl-C): NOT_SERVING, wait
until balancers have noticed, refuse new calls, let running ones finish within their grace.

With a certificate the service's port speaks mutual TLS alone; health has a plaintext port of its own for probes.

Health names: "" is the process (liveness), the service's full name is its readiness.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from concurrent import futures
from typing import TypeVar

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from services.common.backends.backend_info import BackendInfo
from services.common.calling.channels import server_options
from services.common.serving.address_file import write_address_file
from services.common.serving.admission import Admission
from services.common.serving.interceptors import ErrorInterceptor
from services.common.serving.model_holder import ModelHolder
from services.common.serving.parent import end_with_parent
from services.common.settings import RpcSettings, StageSettings
from services.common.telemetry import metrics
from services.common.telemetry.logs import configure_logs, get_logger
from services.common.telemetry.tracing import start_tracing
from services.common.tls import Identity, load_identity
from services.common.version import VERSION
from unflat.v1 import status_pb2, status_pb2_grpc

# Ample workers: the admission gate bounds the work, and a waiting call must never keep a status call waiting.
_SPARE_WORKERS = 16
_STATUS_NAME = status_pb2.DESCRIPTOR.services_by_name["StatusService"].full_name

B = TypeVar("B", bound=BackendInfo)
_log = get_logger()


class HealthBoard:
    """What health says, on the service's own port and on the health port alike."""

    def __init__(self, service: str, stage: str) -> None:
        self.servicer = health.HealthServicer()
        self._service = service
        self._stage = stage
        self.servicer.set("", health_pb2.HealthCheckResponse.SERVING)
        self.set_serving(False)

    def set_serving(self, serving: bool) -> None:
        """Say whether the service answers."""
        status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        self.servicer.set(self._service, status)
        metrics.SERVING.labels(self._stage).set(float(serving))

    def drain(self) -> None:
        """NOT_SERVING for good; later changes are ignored."""
        self.servicer.enter_graceful_shutdown()
        metrics.SERVING.labels(self._stage).set(0.0)


class StageStatus(status_pb2_grpc.StatusServiceServicer):
    """Says of a stage what health cannot: why it does not serve, what it runs, how busy it is."""

    def __init__(self, stage: str, slot: ModelHolder[BackendInfo], admission: Admission) -> None:
        self._stage = stage
        self._slot = slot
        self._admission = admission

    def GetServiceStatus(  # noqa: N802 - the proto's name
        self, request: status_pb2.GetServiceStatusRequest, context: grpc.ServicerContext
    ) -> status_pb2.GetServiceStatusResponse:
        """Return the status as it is now."""
        backend = self._slot.backend
        return status_pb2.GetServiceStatusResponse(
            service=self._stage,
            version=VERSION,
            serving=backend is not None,
            reason=self._slot.reason,
            backend=backend.name if backend else "",
            device=backend.device if backend else "",
            in_flight=self._admission.running,
            queued=self._admission.waiting,
            loading=self._slot.loading,
        )


def run_stage(
    settings: StageSettings,
    stage: str,
    service: str,
    load: Callable[[], B],
    register: Callable[[ModelHolder[B], Admission, grpc.Server], None],
) -> None:
    """Run a compute stage until it is told to stop.

    Args:
        settings: addresses, limits and patience.
        stage: short name, e.g. "depth".
        service: full gRPC name, e.g. "unflat.v1.DepthService".
        load: returns the warm backend; called while the port is already open.
        register: adds the service's own servicer, which takes the model from a slot behind a gate, to the server.
    """
    configure_logs(stage, settings.log_level, settings.log_format)
    start_tracing(stage, settings.otlp_endpoint)
    end_with_parent(settings.end_with_parent)
    identity = load_identity(settings.tls_files)
    slot, admission = ModelHolder(stage, load), Admission(stage, settings.concurrency, settings.queue)
    board = HealthBoard(service, stage)
    workers = settings.concurrency + settings.queue + _SPARE_WORKERS
    server = grpc.server(
        futures.ThreadPoolExecutor(workers, thread_name_prefix=stage),
        interceptors=[ErrorInterceptor()],
        options=server_options(settings.max_connection_age_s),
    )
    register(slot, admission, server)
    status_pb2_grpc.add_StatusServiceServicer_to_server(StageStatus(stage, slot, admission), server)
    health_pb2_grpc.add_HealthServicer_to_server(board.servicer, server)
    if settings.reflection:
        reflection.enable_server_reflection((service, _STATUS_NAME, health.SERVICE_NAME), server)
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):  # before anybody can know that we are here
        signal.signal(name, lambda *_: stop.set())
    port = bind(server, settings.host, settings.port, identity)
    health_server, health_port = serve_health(settings, board)
    metrics_port = serve_metrics(settings)
    server.start()
    announce(settings, port, health_port, metrics_port)
    slot.start(board.set_serving)

    stop.wait()
    _log.info("draining", drain_s=settings.drain_s, grace_s=settings.grace_s)
    board.drain()
    threading.Event().wait(settings.drain_s)
    server.stop(settings.grace_s).wait()
    health_server.stop(None)
    _log.info("stopped")


def bind(server: grpc.Server | grpc.aio.Server, host: str, port: int, identity: Identity | None = None) -> int:
    """Bind `server` and return the port: for mutual TLS with an identity, else for plaintext.

    A port that is taken ends the process with a sentence.
    """
    try:
        if identity is not None:
            return int(server.add_secure_port(f"{host}:{port}", identity.server_credentials()))
        return int(server.add_insecure_port(f"{host}:{port}"))
    except RuntimeError:
        sys.stderr.write(f"cannot listen on {host}:{port}: the address is in use or not ours (--host, --port)\n")
        raise SystemExit(1) from None


def serve_health(settings: RpcSettings, board: HealthBoard) -> tuple[grpc.Server, int]:
    """Start the health server of its own; its port is -1 where it is switched off."""
    server = grpc.server(futures.ThreadPoolExecutor(4, thread_name_prefix="health"), options=[("grpc.so_reuseport", 0)])
    if settings.health_port < 0:
        return server, -1
    health_pb2_grpc.add_HealthServicer_to_server(board.servicer, server)
    port = bind(server, settings.host, settings.health_port)
    server.start()
    return server, port


def serve_metrics(settings: RpcSettings) -> int:
    """Start the metrics endpoint and return its port; one that is taken ends the process with a sentence."""
    try:
        return metrics.start_metrics(settings.metrics_port, settings.host)
    except OSError as problem:
        wanted = f"{settings.host}:{settings.metrics_port}"
        sys.stderr.write(f"cannot serve metrics on {wanted}: {problem.strerror} (--metrics-port)\n")
        raise SystemExit(1) from None


def announce(settings: RpcSettings, port: int, health_port: int, metrics_port: int) -> None:
    """Say where a gRPC service listens."""
    addresses = {"address": f"{settings.host}:{port}", "health_port": health_port, "metrics_port": metrics_port}
    write_address_file(settings.announce, addresses)
