"""Working through photos: one after the other, each with its bar, a failure named and the rest finished."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from services.cli.connection import connect
from services.cli.console import make_console, print_receipt
from services.cli.photo_files import PhotoItem, PhotoOutputs, colliding, find_items, read_photo, write_all
from services.common.client import Client, CutoutResult, MeshResult, Progress
from services.common.errors import Internal, InvalidImage, UnflatError
from services.common.receipts import receipt_to_dict
from services.common.serving.priority import Priority
from unflat.v1 import orchestrator_pb2 as pb

R = TypeVar("R", MeshResult, CutoutResult)
ReportProgress = Callable[[str, float], None]
"""Called with what happens and the share done."""

MakeOutputs = Callable[[Client, PhotoItem, bytes, ReportProgress], PhotoOutputs]
"""Makes the results of one photo, given its bytes."""


def run_batch(
    inputs: Sequence[Path],
    out: Path,
    server: str | None,
    timeout_s: float,
    as_json: bool,
    make: MakeOutputs,
    also_read: Sequence[Path] = (),
) -> int:
    """Make and write the results of every photo and return the exit code: 0 all done, 1 some failed.

    Args:
        inputs: photos and folders of photos.
        out: folder of the results.
        server: address of an orchestrator; None starts services.
        timeout_s: for each photo.
        as_json: one line a photo on stdout, nothing else.
        make: makes the results of one photo.
        also_read: other files that must not be written over.

    Raises:
        InvalidOption: there is nothing to do.
        StageUnavailable: the services could not be started.
    """
    console = make_console(stderr=True)
    items = find_items(inputs, out, also_read)
    clashes = colliding(items)
    failed = 0
    priority: Priority = "batch" if len(items) > 1 else "interactive"  # nobody watches a folder photo by photo
    with connect(server, timeout_s, console, priority) as client:
        for item in items:
            try:
                if item.photo in clashes:
                    raise InvalidImage(f"its results would have the names of {clashes[item.photo]}'s")
                with _bar(console, item.photo.name) as report:
                    outputs = make(client, item, read_photo(item.photo), report)
                    written = write_all(outputs.files)
            except UnflatError as problem:
                failed += 1
                print_failure(console, as_json, item.photo, problem)
                continue
            if as_json:
                print_json_result(item.photo, outputs.receipt, written)
            else:
                print_receipt(console, str(item.photo), outputs.receipt)
                console.print(f"wrote {', '.join(map(str, written))}", highlight=False, soft_wrap=True, markup=False)
    if failed:
        console.print(f"{failed} of {len(items)} failed", style="red")
    return 1 if failed else 0


def wait_for_result(events: Iterator[Progress | R], kind: type[R], report: ReportProgress) -> R:
    """Return the result at the end of `events`, and report the progress before it."""
    for event in events:
        if isinstance(event, kind):
            return event
        if isinstance(event, Progress):
            report(f"{event.stage}: {event.step}", event.fraction)
    raise Internal("the orchestrator ended without a result")


def print_failure(console: Console, as_json: bool, photo: Path, problem: UnflatError) -> None:
    """Say on the console, and on stdout where asked, that a photo failed and why."""
    if as_json:
        _print_json({"photo": str(photo), "error": problem.reason, "message": problem.message})
    console.print(f"[red]{escape(str(photo))}[/red]: {escape(problem.message)}", highlight=False, soft_wrap=True)


def print_json_result(photo: Path, receipt: pb.Receipt, written: Sequence[Path]) -> None:
    """Print as one line of JSON what a photo came to."""
    _print_json({"photo": str(photo), "files": [str(path) for path in written], "receipt": receipt_to_dict(receipt)})


@contextmanager
def _bar(console: Console, name: str) -> Iterator[ReportProgress]:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[step]}"), TimeElapsedColumn())
    with Bars(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(name, total=1.0, step="")
        yield lambda step, fraction: progress.update(task, completed=fraction, step=step)


def _print_json(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()
