"""How every gRPC service starts, says how it is, and stops.

Order of a start: bind (a port in use ends the process with a sentence), health says NOT_SERVING, addresses are
announced, the model loads and warms up, health says SERVING. Order of a stop (SIGTERM or Ctrl-C): NOT_SERVING, wait
until balancers have noticed, refuse new calls, let running ones finish within their grace.

With a certificate the service's port speaks mutual TLS alone; health has a plaintext port of its own for probes.

Health names: "" is the process (liveness), the service's full name is its readiness.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent import futures

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from services.common.serving.address_file import write_address_file
from services.common.serving.parent import end_with_parent
from services.common.settings import RpcSettings
from services.common.telemetry import metrics
from services.common.telemetry.logs import configure_logs, get_logger
from services.common.telemetry.tracing import start_tracing
from services.common.tls import Identity, load_identity

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


def prepare_process(settings: RpcSettings, name: str) -> Identity | None:
    """Set up logs, traces and the tie to the parent process, and return the identity for TLS, where there is one."""
    configure_logs(name, settings.log_level, settings.log_format)
    start_tracing(name, settings.otlp_endpoint)
    end_with_parent(settings.end_with_parent)
    return load_identity(settings.tls_files)


async def serve(
    settings: RpcSettings,
    server: grpc.Server | grpc.aio.Server,
    board: HealthBoard,
    identity: Identity | None,
    *,
    services: tuple[str, ...],
    begin: Callable[[], Awaitable[None]],
    drain: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Run `server` until the process is told to stop.

    Args:
        settings: addresses and limits.
        server: with its servicers, not yet bound.
        board: what health says.
        identity: for mutual TLS.
        services: full names for reflection.
        begin: called once the addresses are written; loads what the service needs, or starts to.
        drain: called when no new calls are wanted, beside what the board does.
    """
    if settings.reflection:
        reflection.enable_server_reflection((*services, health.SERVICE_NAME), server)
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):  # before anybody can know that we are here
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    port = bind(server, settings.host, settings.port, identity)
    health_server, health_port = serve_health(settings, board)
    metrics_port = serve_metrics(settings)
    if (starting := server.start()) is not None:
        await starting
    addresses = {"address": f"{settings.host}:{port}", "health_port": health_port, "metrics_port": metrics_port}
    write_address_file(settings.address_file, addresses)
    await begin()

    await stop.wait()
    _log.info("draining", drain_s=settings.drain_s, grace_s=settings.grace_s)
    board.drain()
    if drain is not None:
        await drain()
    await asyncio.sleep(settings.drain_s)
    stopping = server.stop(settings.grace_s)
    await (asyncio.to_thread(stopping.wait) if isinstance(stopping, threading.Event) else stopping)
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
