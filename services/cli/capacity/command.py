"""`unflat capacity`: replicas of each stage, GPUs and money for a rate of requests, from measured service times."""

from __future__ import annotations

import datetime
import json
import os
import platform
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from services.cli.capacity.plan import ORCHESTRATOR, Plan, Prices, StageTimes, Target, make_plan
from services.cli.capacity.service_times import measure_times, read_times, scrape_times, write_times
from services.cli.console import make_console
from services.cli.local_services import LocalServices, LocalServicesOptions
from services.common.client import Client
from services.common.errors import InvalidOption

_STAGES = ("segmentation", "depth", "mesher", ORCHESTRATOR)
_PRICES_OF = "assumed, 2026-11"


def capacity(
    rps: Annotated[float, typer.Option(help="Mesh requests a second, on average over the busiest minutes.")],
    times: Annotated[Path | None, typer.Option(help="Service times from a file that --save wrote.")] = None,
    metrics: Annotated[
        list[str] | None, typer.Option(help="Metrics URL of a running service; once for each stage and orchestrator.")
    ] = None,
    measure: Annotated[
        list[Path] | None,
        typer.Option(help="Photo to measure with, on services started here; may stand several times."),
    ] = None,
    requests: Annotated[int, typer.Option(min=3, help="Requests to measure.")] = 20,
    save: Annotated[Path | None, typer.Option(help="Write the service times to this file.")] = None,
    wait: Annotated[float, typer.Option(help="One call in twenty may wait longer than this many times its own.")] = 2.0,
    busiest: Annotated[float, typer.Option(min=0.05, max=0.99, help="Largest share of time a replica is busy.")] = 0.8,
    spare: Annotated[int, typer.Option(min=0, help="Replicas of each stage beyond the need.")] = 1,
    gpu: Annotated[str, typer.Option(help="Stages on GPUs, with commas; the times are taken as they are.")] = "",
    per_gpu: Annotated[int, typer.Option(min=1, help="Replicas that share a GPU (MIG, MPS, time slices).")] = 1,
    gpu_price: Annotated[float, typer.Option(min=0, help="One GPU for an hour.")] = 1.0,
    core_price: Annotated[float, typer.Option(min=0, help="One CPU core for an hour.")] = 0.04,
    cores: Annotated[float, typer.Option(min=0.1, help="Cores of each replica.")] = 2.0,
    prices_of: Annotated[str, typer.Option(help="Where and when these prices were read.")] = _PRICES_OF,
    as_json: Annotated[bool, typer.Option("--json", help="The plan as JSON.")] = False,
) -> None:
    """Work out replicas of each stage, GPUs and cost per 1,000 meshes."""
    console = make_console(stderr=as_json)
    measured = _service_times(times, metrics or [], measure or [], requests, console)
    if save is not None:
        write_times(save, measured, {"measured": datetime.date.today().isoformat(), "machine": _machine()})
    prices = Prices(gpu_price, core_price, dict.fromkeys(_STAGES, cores), _stages_on_gpus(gpu), per_gpu)
    # The orchestrator admits more requests than it works on: most of them wait for stages. Its servers are its cores.
    served = [replace(one, concurrency=max(1, int(cores))) if one.stage == ORCHESTRATOR else one for one in measured]
    plan = make_plan(served, Target(rps, wait, busiest, spare), prices)
    if as_json:
        typer.echo(json.dumps({"rps": rps, "prices_of": prices_of, **asdict(plan)}))
        return
    _print(console, plan, rps, prices, prices_of)


def _service_times(
    times: Path | None, metrics: list[str], photos: list[Path], requests: int, console: Console
) -> list[StageTimes]:
    if sum((times is not None, bool(metrics), bool(photos))) != 1:
        raise InvalidOption("where from are the service times? one of --times FILE, --metrics URL, --measure PHOTO")
    if times is not None:
        return read_times(times)
    if metrics:
        return scrape_times(metrics)
    try:
        data = [photo.read_bytes() for photo in photos]
    except OSError as problem:
        raise InvalidOption(f"cannot read {problem.filename}: {problem.strerror}") from None
    # The same photo again must be work again.
    environment = {"UNFLAT_ORCHESTRATOR_CACHE_MB": "0"}
    with (
        console.status("measuring") as status,
        LocalServices(LocalServicesOptions(environment=environment)) as stack,
        Client(stack.address, identity=stack.identity) as client,
    ):
        return measure_times(client, data, requests, lambda done: status.update(f"measuring: {done} requests"))


def _stages_on_gpus(text: str) -> tuple[str, ...]:
    named = tuple(part.strip() for part in text.split(",") if part.strip())
    for name in named:
        if name not in _STAGES:
            raise InvalidOption(f"--gpu names {name!r}; wanted some of {', '.join(_STAGES)}")
    return named


def _print(console: Console, plan: Plan, rps: float, prices: Prices, prices_of: str) -> None:
    table = Table(title=f"{rps:g} requests a second", title_justify="left", header_style="bold")
    table.add_column("stage", no_wrap=True)
    for column in ("a call", "cv", "calls", "load", "replicas", "busy", "wait", "95 %", "GPUs", "an hour"):
        table.add_column(column, justify="right", no_wrap=True)
    for stage in plan.stages:
        t, w = stage.times, stage.waiting
        cells = [f"{t.mean_s * 1e3:.0f} ms", f"{t.cv2**0.5:.2f}", f"{t.visits:.2f}", f"{stage.load:.1f}"]
        cells += [str(stage.replicas), f"{w.utilisation:.0%}", f"{w.mean_s * 1e3:.0f} ms", f"{w.p95_s * 1e3:.0f} ms"]
        table.add_row(t.stage, *cells, str(stage.gpus), f"{stage.cost_an_hour:.2f}")
    console.print(table)
    ran = [f"{s.times.stage} {s.times.backend} ({s.times.device})" for s in plan.stages if s.times.backend]
    console.print(f"times of {', '.join(ran)}", highlight=False)
    console.print(
        f"{plan.gpus} GPUs, {plan.cost_an_hour:.2f} an hour, [bold]{plan.cost_per_1000:.3f} for 1,000 meshes[/bold]"
        f" at {prices.gpu:g} a GPU and {prices.core:g} a core an hour ({prices_of})",
        highlight=False,
    )
    missing = [name for name in _STAGES if name not in {stage.times.stage for stage in plan.stages}]
    if missing:
        console.print(f"  [yellow]![/yellow] no times of {', '.join(missing)}: not in this plan", highlight=False)


def _machine() -> str:
    return f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}"
