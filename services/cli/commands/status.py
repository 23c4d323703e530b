"""`unflat status`: every stage, and how it is."""

from __future__ import annotations

import os
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from services.cli.console import STATE_COLOURS, make_console
from services.cli.options import JsonOption
from services.common.client import Client
from services.common.receipts import receipt_to_dict
from services.common.tls import environment_identity
from unflat.v1 import orchestrator_pb2 as pb

DEFAULT_SERVER = "127.0.0.1:50050"


def status(
    server: Annotated[str, typer.Option(help="HOST:PORT of the orchestrator.")] = DEFAULT_SERVER,
    as_json: JsonOption = False,
) -> None:
    """Show every stage: serving or not, on what, and why not."""
    with Client(server, identity=environment_identity(os.environ)) as client:
        found = client.status()
    if as_json:
        make_console().print_json(data=receipt_to_dict(found))
    else:
        print_status(make_console(), found)


def print_status(console: Console, status: pb.GetStatusResponse) -> None:
    """Print how every stage is."""
    table = Table(title=f"unflat {status.version}", title_justify="left", header_style="bold")
    for column in ("stage", "address", "state", "backend", "device", "breaker", "why"):
        table.add_column(column, overflow="fold")
    for stage in status.stages:
        state = pb.Serving.Name(stage.serving).removeprefix("SERVING_")
        colour = STATE_COLOURS.get(state, "yellow")
        table.add_row(
            stage.stage,
            stage.address,
            f"[{colour}]{state}[/{colour}]",
            stage.backend,
            stage.device,
            stage.breaker,
            escape(stage.reason),
        )
    console.print(table)
