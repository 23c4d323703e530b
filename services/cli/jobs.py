"""Working through photos: one after the other, each with its bar, a failure named and the rest finished."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from services.cli.local_services import LocalServices
from services.cli.outputs import Item, colliding, find_items
from services.cli.tables import make_console, print_receipt
from services.common.client import CutoutResult, MeshResult, Progress, UnflatClient
from services.common.errors import Internal, InvalidImage, UnflatError
from services.common.receipts import receipt_to_dict
from services.common.serving.priority import Priority
from services.common.tls import environment_identity
from unflat.v1 import orchestrator_pb2 as pb

M = TypeVar("M", MeshResult, CutoutResult)
Tell = Callable[[str, float], None]
"""Called with what happens and the share done."""


@dataclass(frozen=True)
class Done:
    """What one photo came to: the receipt and the files written."""

    receipt: pb.Receipt
    files: list[Path] = field(default_factory=list)


Work = Callable[[UnflatClient, Item, bytes, Tell], Done]


def run_jobs(
    inputs: Sequence[Path],
    out: Path,
    server: str | None,
    timeout_s: float,
    as_json: bool,
    work: Work,
    also_read: Sequence[Path] = (),
) -> int:
    """Do `work` for every photo and return the exit code: 0 all done, 1 some failed.

    Args:
        inputs: photos and folders of photos.
        out: folder of the results.
        server: address of an orchestrator; None starts services.
        timeout_s: for each photo.
        as_json: one line a photo on stdout, nothing else.
        work: makes and writes the results of one photo.
        also_read: other files that must not be written over.

    Raises:
        InvalidOption: there is nothing to do.
        StageUnavailable: the services could not be started.
    """
    console = make_console(stderr=True)
    items = find_items(inputs, out, also_read)
    clashes = colliding(items)
    failed = 0
    with ExitStack() as stack:
        priority: Priority = "batch" if len(items) > 1 else "interactive"  # nobody watches a folder photo by photo
        client = stack.enter_context(connect(server, timeout_s, console, priority))
        for item in items:
            try:
                if item.photo in clashes:
                    raise InvalidImage(f"its results would have the names of {clashes[item.photo]}'s")
                with _bar(console, item.photo.name) as tell:
                    done = work(client, item, read_photo(item.photo), tell)
            except UnflatError as problem:
                failed += 1
                say_failed(console, as_json, item.photo, problem)
                continue
            say_done(as_json, item.photo, done)
            if not as_json:
                print_receipt(console, str(item.photo), done.receipt)
                console.print(f"wrote {', '.join(map(str, done.files))}", highlight=False, soft_wrap=True, markup=False)
    if failed:
        console.print(f"{failed} of {len(items)} failed", style="red")
    return 1 if failed else 0


@contextmanager
def connect(
    server: str | None, timeout_s: float, console: Console, priority: Priority = "interactive"
) -> Iterator[UnflatClient]:
    """Yield a client of `server`, or of services that are started here and stopped at the end."""
    with ExitStack() as stack:
        address = server
        if address is None:
            with console.status("starting the services"):
                address = stack.enter_context(LocalServices()).address
        yield stack.enter_context(UnflatClient(address, timeout_s, environment_identity(os.environ), priority))


@contextmanager
def _bar(console: Console, name: str) -> Iterator[Tell]:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[step]}"), TimeElapsedColumn())
    with Bars(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(name, total=1.0, step="")
        yield lambda step, fraction: progress.update(task, completed=fraction, step=step)


def follow(events: Iterator[Progress | M], kind: type[M], tell: Tell) -> M:
    """Return the result at the end of `events`, and tell the progress before it."""
    for event in events:
        if isinstance(event, kind):
            return event
        if isinstance(event, Progress):
            tell(f"{event.stage}: {event.step}", event.fraction)
    raise Internal("the orchestrator ended without a result")


def read_photo(photo: Path) -> bytes:
    """Return the bytes of a photo.

    Raises:
        InvalidImage: it cannot be read.
    """
    try:
        return photo.read_bytes()
    except OSError as problem:
        raise InvalidImage(f"cannot be read: {problem.strerror}") from None


def receipt_json(receipt: pb.Receipt) -> bytes:
    """Return a receipt as a file."""
    return (json.dumps(receipt_to_dict(receipt), indent=1, ensure_ascii=False) + "\n").encode()


def debug_files(folder: Path | None, item: Item, pictures: Mapping[str, bytes]) -> dict[Path, bytes]:
    """Return where the pictures of the steps between go; none without a folder."""
    if folder is None:
        return {}
    aside = replace(item, folder=folder)
    return {aside.output(f"-{name}.png", "debug"): png for name, png in pictures.items()}


def say_failed(console: Console, as_json: bool, photo: Path, problem: UnflatError) -> None:
    """Say on the console, and on stdout where asked, that a photo failed and why."""
    if as_json:
        _print_json({"photo": str(photo), "error": problem.reason, "message": problem.message})
    console.print(f"[red]{escape(str(photo))}[/red]: {escape(problem.message)}", highlight=False, soft_wrap=True)


def say_done(as_json: bool, photo: Path, done: Done) -> None:
    """Say on stdout, where asked, what a photo came to."""
    if as_json:
        files = [str(path) for path in done.files]
        _print_json({"photo": str(photo), "files": files, "receipt": receipt_to_dict(done.receipt)})


def _print_json(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()
