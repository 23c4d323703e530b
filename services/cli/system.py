"""`unflat up` and `unflat status`: the whole system on this machine, and how it is."""

from __future__ import annotations

import os
import signal
import threading
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from services.cli.capacity.prometheus import LocalPrometheus, find_prometheus, targets_of
from services.cli.local_services import LocalServices, LocalServicesOptions
from services.cli.options import JsonOption
from services.cli.tables import make_console, print_status
from services.common.client import UnflatClient
from services.common.errors import StageUnavailable
from services.common.receipts import receipt_to_dict
from services.common.tls import environment_identity

DEFAULT_SERVER = "127.0.0.1:50050"


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
    stack = LocalServices(LocalServicesOptions(host=host, port=port, http_port=http_port or None))
    prometheus = None
    try:
        stack.start(lambda name: console.print(f"  {name} is up", style="dim"))
        _print_addresses(console, stack)
        prometheus = _start_prometheus(console, stack) if observability else None
        with UnflatClient(stack.address, identity=stack.identity) as client:
            print_status(console, client.status())
        console.print("Ctrl-C stops everything.")
        while not stop.wait(0.5):
            ended = [p.name for p in stack.processes.values() if p.popen.poll() is not None]
            if ended:
                raise StageUnavailable(f"{', '.join(ended)} ended unexpectedly")
    finally:
        console.print("stopping")
        if prometheus is not None:
            prometheus.stop()
        stack.stop()


def status(
    server: Annotated[str, typer.Option(help="HOST:PORT of the orchestrator.")] = DEFAULT_SERVER,
    as_json: JsonOption = False,
) -> None:
    """Show every stage: serving or not, on what, and why not."""
    with UnflatClient(server, identity=environment_identity(os.environ)) as client:
        found = client.status()
    if as_json:
        make_console().print_json(data=receipt_to_dict(found))
    else:
        print_status(make_console(), found)


def _start_prometheus(console: Console, stack: LocalServices) -> LocalPrometheus | None:
    binary = find_prometheus()
    if binary is None:
        console.print("There is no prometheus on this machine (Debian: apt-get install prometheus); going on without.")
        return None
    prometheus = LocalPrometheus(binary, targets_of(stack.addresses()))
    console.print(f"Prometheus: http://{prometheus.address} (alerts: /alerts)")
    return prometheus


def _print_addresses(console: Console, stack: LocalServices) -> None:
    table = Table(header_style="bold")
    for column in ("service", "address", "metrics", "pid"):
        table.add_column(column)
    for name, said in stack.addresses().items():
        scheme = "http://" if name == "gateway" else ""
        metrics = f"http://127.0.0.1:{said['metrics_port']}/metrics" if said.get("metrics_port") else ""
        table.add_row(name, f"{scheme}{said['address']}", metrics, str(said.get("pid", "")))
    console.print(table)
