"""`unflat up`: the whole system on this machine."""

from __future__ import annotations

import signal
import threading
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from services.cli.commands.status import print_status
from services.cli.console import make_console
from services.cli.local_prometheus import LocalPrometheus, find_prometheus, targets_of
from services.cli.local_services import LocalServices, LocalServicesOptions
from services.common.client import Client
from services.common.errors import StageUnavailable


def up(
    host: Annotated[str, typer.Option(help="Address that gateway and orchestrator listen on.")] = "127.0.0.1",
    http_port: Annotated[int, typer.Option(help="Port of the HTTP gateway; 0 starts none.")] = 8000,
    port: Annotated[int, typer.Option(help="gRPC port of the orchestrator.")] = 50050,
    observability: Annotated[bool, typer.Option(help="Start a Prometheus that scrapes the services, too.")] = False,
) -> None:
    """Run the whole system until Ctrl-C, and print the addresses."""
    console = make_console()
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    services = LocalServices(LocalServicesOptions(host=host, port=port, http_port=http_port or None))
    prometheus = None
    try:
        services.start(lambda name: console.print(f"  {name} is up", style="dim"))
        _print_addresses(console, services)
        prometheus = _start_prometheus(console, services) if observability else None
        with Client(services.address, identity=services.identity) as client:
            print_status(console, client.status())
        console.print("Ctrl-C stops everything.")
        while not stop.wait(0.5):
            ended = [p.name for p in services.processes.values() if p.popen.poll() is not None]
            if ended:
                raise StageUnavailable(f"{', '.join(ended)} ended unexpectedly")
    finally:
        console.print("stopping")
        if prometheus is not None:
            prometheus.stop()
        services.stop()


def _start_prometheus(console: Console, services: LocalServices) -> LocalPrometheus | None:
    binary = find_prometheus()
    if binary is None:
        console.print("There is no prometheus on this machine (Debian: apt-get install prometheus); going on without.")
        return None
    prometheus = LocalPrometheus(binary, targets_of(services.addresses()))
    console.print(f"Prometheus: http://{prometheus.address} (alerts: /alerts)")
    return prometheus


def _print_addresses(console: Console, services: LocalServices) -> None:
    table = Table(header_style="bold")
    for column in ("service", "address", "metrics", "pid"):
        table.add_column(column)
    for name, said in services.addresses().items():
        scheme = "http://" if name == "gateway" else ""
        metrics = f"http://127.0.0.1:{said['metrics_port']}/metrics" if said.get("metrics_port") else ""
        table.add_row(name, f"{scheme}{said['address']}", metrics, str(said.get("pid", "")))
    console.print(table)
