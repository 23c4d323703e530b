"""The `unflat` command.

Exit codes: 0 done, 1 some inputs failed or a service could not be had, 2 wrong usage, 100 + n where n photos of a set
failed, 130 ended by Ctrl-C, 128 + n ended by signal n.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from types import FrameType
from typing import Annotated

import typer
from rich.markup import escape

from services.cli.commands import models
from services.cli.commands.cutout import cutout
from services.cli.commands.depth import depth
from services.cli.commands.doctor import doctor
from services.cli.commands.mesh import mesh
from services.cli.commands.status import status
from services.cli.commands.up import up
from services.cli.console import make_console
from services.common.environment import unknown_variables
from services.common.errors import InvalidOption, UnflatError
from services.common.telemetry.logs import configure_logs
from services.common.version import VERSION

app = typer.Typer(
    help="One photo in, one clean cutout and one complete 3D mesh out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(mesh)
app.command()(cutout)
app.command()(depth)
app.command()(up)
app.command()(status)
app.command()(doctor)
app.add_typer(models.app, name="models")


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        typer.echo(f"unflat {VERSION}")
        raise typer.Exit


def main() -> None:
    """Run the command; every error is one sentence."""
    configure_logs("cli", "warning")
    signal.signal(signal.SIGTERM, _leave)  # so that what was started is stopped
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file name may be any bytes, and must not end the command
    console = make_console(stderr=True)
    for sentence in unknown_variables(os.environ):
        console.print(f"[yellow]unflat:[/yellow] {escape(sentence)}", highlight=False, soft_wrap=True)
    try:
        app()
    except InvalidOption as problem:
        console.print(f"[red]unflat:[/red] {escape(problem.message)}", highlight=False, soft_wrap=True)
        sys.exit(2)
    except UnflatError as problem:
        console.print(f"[red]unflat:[/red] {escape(problem.message)}", highlight=False, soft_wrap=True)
        sys.exit(1)


def _leave(number: int, frame: FrameType | None) -> None:
    del frame
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
