"""`unflat models`: which weights there are, and getting, checking and importing them."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from services.cli.console import make_console
from services.common.errors import InvalidOption, StageUnavailable
from services.common.models.manifest import MODELS, Model
from services.common.models.model_store import ModelStore
from services.common.models.pull import import_folder
from services.common.models.pull import pull as pull_model
from services.common.settings import default_store

_CONVERTERS = {"triposr": "services.mesher.triposr.convert"}
_CONVERTED = {"float32": "model.safetensors", "bfloat16": "model.bfloat16.safetensors"}

_CONVERSION_WORDS = {
    True: "[green]as it was converted[/green]",
    False: "[red]not what was converted; remove it and pull again[/red]",
    None: "[yellow]no hash was noted when it was converted; remove it and pull again[/yellow]",
}

app = typer.Typer(help="List, pull, verify and import weights.", no_args_is_help=True)
Names = Annotated[list[str] | None, typer.Argument(help="Models by name.", show_default=False)]


@app.command("list")
def list_models() -> None:
    """List every model: what for, how large, under which licence, and whether it is here."""
    store = ModelStore(default_store())
    table = Table(title=f"store: {store.folder}", title_justify="left", header_style="bold")
    table.add_column("model", no_wrap=True)
    for column in ("stage", "size", "licence", "here", "about"):
        table.add_column(column, overflow="fold")
    for model in MODELS:
        licence = model.licence if model.commercial else f"[yellow]{model.licence}[/yellow]"
        table.add_row(model.name, model.stage, _size(model), licence, _state(store, model), model.about)
    make_console().print(table)


@app.command()
def pull(
    names: Names = None,
    light: Annotated[bool, typer.Option("--light", help="The light networks of a first run.")] = False,
    all_defaults: Annotated[bool, typer.Option("--all", help="The whole production set.")] = False,
    wait: Annotated[float, typer.Option(help="Most seconds for each model.")] = 3600.0,
    optional: Annotated[bool, typer.Option("--optional", help="Exit 0 also when something could not be had.")] = False,
    bfloat16: Annotated[bool, typer.Option("--bf16", help="TripoSR also in bfloat16: half as large to load.")] = False,
) -> None:
    """Fetch models, showing size and licence of each first; every file is checked by its hash.

    TripoSR is then converted once to safetensors, which load without a second copy in memory (needs torch).
    """
    console = make_console()
    store = ModelStore(default_store())
    models = _chosen(names or [], light, all_defaults)
    failed = []
    for model in models:
        if all(store.variant_here(model, file) is not None for file in model.files):
            console.print(f"{model.name}: already here", highlight=False)
            _convert(console, store, model, bfloat16)
            continue
        console.print(f"{model.name}: {_size(model)}, {model.licence}, {model.about}", highlight=False)
        try:
            lines = _pull_with_bar(console, store, model, wait)
        except StageUnavailable as problem:
            failed.append(model.name)
            console.print(f"  not to be had: {problem.message}", style="yellow", highlight=False, soft_wrap=True)
            continue
        for line in lines:
            console.print(f"  {line}", style="dim", highlight=False, soft_wrap=True)
        _convert(console, store, model, bfloat16)
    if failed and not optional:
        raise typer.Exit(1)


@app.command()
def verify(names: Names = None) -> None:
    """Hash every file that is here anew and compare, those that were converted here with what they were then."""
    console = make_console()
    store = ModelStore(default_store())
    wrong = 0
    for model in _chosen(names or [], False, False, everything=True):
        for file in model.files:
            if not store.path_of(model, file).is_file():
                continue
            store.forget_record(model, file)
            good = store.is_good(model, file)
            wrong += not good
            word = "[green]good[/green]" if good else "[red]wrong hash[/red]"
            console.print(f"{model.name}/{file.name}: {word}", highlight=False)
        for name in _converted_here(store, model):
            same = store.is_as_made(model, name)
            wrong += same is not True
            console.print(f"{model.name}/{name}: {_CONVERSION_WORDS[same]}", highlight=False, soft_wrap=True)
    if wrong:
        raise typer.Exit(1)


@app.command("import")
def import_models(
    folder: Annotated[Path, typer.Argument(help="Searched with its subfolders.", exists=True, file_okay=False)],
    names: Names = None,
) -> None:
    """Take known files from a folder into the store, checked by their hashes."""
    chosen = [model.name for model in _chosen(names or [], False, False, everything=True)]
    for line in import_folder(ModelStore(default_store()), folder, chosen):
        make_console().print(line, highlight=False, soft_wrap=True)


def _pull_with_bar(console: Console, store: ModelStore, model: Model, wait_s: float) -> list[str]:
    columns = (TextColumn("  {task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("asking the sources", total=None)

        def tell(label: str, done: int, total: int | None) -> None:
            progress.update(task, description=label, completed=done, total=total)

        return pull_model(store, model, wait_s, tell)


def _convert(console: Console, store: ModelStore, model: Model, bfloat16: bool) -> None:
    """Convert what can be, once, in a process of its own: it needs torch, and the memory of the weights."""
    module = _CONVERTERS.get(model.name)
    if module is None:
        return
    folder = store.path_of(model, model.files[0]).parent
    for dtype, name in _CONVERTED.items():
        if (dtype == "bfloat16" and not bfloat16) or (folder / name).is_file():
            continue
        if find_spec("torch") is None:
            console.print("  left as published: converting needs torch", style="dim", highlight=False)
            return
        done = subprocess.run(
            [sys.executable, "-m", module, folder, dtype], capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            store.record_made(model, name)
        style = "dim" if done.returncode == 0 else "yellow"
        said = done.stdout.strip() or f"not converted: {done.stderr.strip()[-300:]}"
        console.print(f"  {said}", style=style, highlight=False, soft_wrap=True)


def _converted_here(store: ModelStore, model: Model) -> list[str]:
    """Return the converted forms of a model that lie in the store."""
    if model.name not in _CONVERTERS:
        return []
    return [name for name in _CONVERTED.values() if (store.folder / model.name / name).is_file()]


def _chosen(names: list[str], light: bool, defaults: bool, everything: bool = False) -> list[Model]:
    known = {model.name: model for model in MODELS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InvalidOption(f"unknown model {', '.join(unknown)}; there are {', '.join(known)}")
    if names:
        return [known[name] for name in names]
    chosen = [m for m in MODELS if everything or (light and m.light) or (defaults and m.default)]
    if not chosen:
        raise InvalidOption("name models, or give --light or --all; `unflat models list` shows them")
    return chosen


def _size(model: Model) -> str:
    return f"{model.size_bytes / 1e6:,.0f} MB" if model.size_bytes else "size not stated"


def _state(store: ModelStore, model: Model) -> str:
    here = [store.path_of(model, file).is_file() for file in model.files]
    if not any(here):
        return ""
    return "[green]yes[/green]" if all(here) else "[yellow]partly[/yellow]"
