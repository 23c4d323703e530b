"""What people see on the console: its width, and a receipt as a table."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from unflat.v1 import orchestrator_pb2 as pb

STATE_COLOURS = {"OK": "green", "SUPPLIED": "green", "DISABLED": "dim", "SERVING": "green"}

_WIDTH_PIPED = 120  # of tables that go to a file or another program


def make_console(stderr: bool = False) -> Console:
    """Return a console; where nobody looks at a terminal, tables are not squeezed into 80 columns."""
    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=_WIDTH_PIPED)


def print_receipt(console: Console, title: str, receipt: pb.Receipt) -> None:
    """Print stages with times, backends and outcomes, then warnings and the verdict."""
    table = Table(title=escape(title), title_justify="left", header_style="bold")
    for column in ("stage", "outcome", "backend"):
        table.add_column(column, no_wrap=True)
    for column in ("queue", "pre", "compute", "post", "wire", "total"):
        table.add_column(column, justify="right", no_wrap=True)
    for stage in receipt.stages:
        outcome = pb.Outcome.Name(stage.outcome).removeprefix("OUTCOME_")
        report, t = stage.report, stage.report.timings
        seconds = (t.queue_s, t.preprocess_s, t.compute_s, t.postprocess_s, stage.transport_s, stage.total_s)
        colour = STATE_COLOURS.get(outcome, "yellow")
        backend = f"{report.backend} ({report.device})" if report.backend else ""
        cells = [""] * 5 + ["cached"] if stage.cached else [_ms(value) if report.backend else "" for value in seconds]
        table.add_row(stage.stage, f"[{colour}]{outcome}[/{colour}]", backend, *cells)
    for step in receipt.steps:
        table.add_row(f"[dim]· {step.step}[/dim]", *[""] * 7, f"[dim]{_ms(step.seconds)}[/dim]")
    table.add_row("[bold]all[/bold]", *[""] * 7, f"[bold]{_ms(receipt.total_s)}[/bold]")
    console.print(table)
    for warning in receipt.warnings:
        console.print(f"  [yellow]![/yellow] {escape(warning)}", highlight=False, soft_wrap=True)
    if receipt.verdict:
        console.print(f"  {receipt.verdict}", highlight=False, soft_wrap=True, markup=False)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 10 else f"{seconds:.1f} s"
