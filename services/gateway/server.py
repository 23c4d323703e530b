"""The gateway: HTTP outside, gRPC to the orchestrator inside.

Order of a stop (SIGTERM or Ctrl-C): /readyz says 503, wait until balancers have noticed, refuse new connections, let
running requests finish within their grace. A second signal ends it at once.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from types import FrameType

import uvicorn

from services.common.client import AsyncClient
from services.common.load_settings import load_settings
from services.common.serving.address_file import write_address_file
from services.common.serving.parent import end_with_parent
from services.common.telemetry.logs import configure_logs, get_logger
from services.common.telemetry.metrics import start_metrics
from services.common.telemetry.tracing import start_tracing
from services.common.tls import load_identity
from services.gateway.app import create_app
from services.gateway.gateway import Draining
from services.gateway.settings import GatewaySettings

STAGE = "gateway"
_BACKLOG = 2048
_KEEP_ALIVE_S = 75  # longer than the 60 s of common balancers, or they meet closed connections

_log = get_logger()


class DrainingServer(uvicorn.Server):
    """A uvicorn server that lets balancers know before it closes."""

    def __init__(self, config: uvicorn.Config, draining: Draining, drain_s: float) -> None:
        super().__init__(config)
        self._draining = draining
        self._drain_s = drain_s
        self._drained_at = float("inf")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain, or end at once if that has begun already."""
        del sig, frame
        if self._draining.on:
            self.force_exit = self.should_exit = True
            return
        self._draining.on = True
        self._drained_at = time.monotonic() + self._drain_s

    async def on_tick(self, counter: int) -> bool:
        """Return whether the time has come to close; asked ten times a second."""
        return await super().on_tick(counter) or time.monotonic() >= self._drained_at


def main() -> None:
    """Run the gateway until it is told to stop."""
    settings = load_settings(GatewaySettings, STAGE)
    configure_logs(STAGE, settings.log_level, settings.log_format)
    start_tracing(STAGE, settings.otlp_endpoint)
    end_with_parent(settings.end_with_parent)
    listener = listen(settings.host, settings.port)
    metrics_port = start_metrics(settings.metrics_port, settings.host)
    asyncio.run(_serve(settings, listener, metrics_port))
    _log.info("stopped")


async def _serve(settings: GatewaySettings, listener: socket.socket, metrics_port: int) -> None:
    identity = load_identity(settings.tls_files)
    async with AsyncClient(settings.orchestrator_address, settings.timeout_s, identity) as client:
        try:
            app = create_app(settings, client)
        except ValueError as problem:
            sys.stderr.write(f"unflat-gateway: {problem}\n")
            raise SystemExit(2) from None
        config = uvicorn.Config(
            app,
            access_log=False,
            log_config=None,
            server_header=False,
            backlog=_BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE_S,
            ws_max_size=settings.max_upload_bytes,
            # A header that anybody can write counts only where a proxy that we know has written it.
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=settings.trusted_proxies,
            timeout_graceful_shutdown=round(settings.grace_s),
        )
        server = DrainingServer(config, app.state.gateway.draining, settings.drain_s)
        # Connections are queued from now on.
        addresses = {"address": f"{settings.host}:{listener.getsockname()[1]}", "metrics_port": metrics_port}
        write_address_file(settings.address_file, addresses, orchestrator=settings.orchestrator_address)
        await server.serve(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """Return a bound, listening socket; a port that is taken ends the process with a sentence."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as problem:
        sys.stderr.write(f"cannot listen on {host}:{port}: {problem.strerror or problem} (--host, --port)\n")
        raise SystemExit(1) from None
    # Connections inherit it. asyncio sets it only where a socket names its protocol, which this one does not: every
    # answer would wait 40 ms for an acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


if __name__ == "__main__":
    main()
