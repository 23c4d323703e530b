"""A set of photos: everything in a folder, side by side, each made once, none in the way of the others.

find ─► name clashes? ─► done already? ─► make, several at a time ─► retry outliers ─► summary
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from services.cli.photo_files import PhotoItem, PhotoOutputs, colliding, find_items, left_out, read_photo, write_all
from services.cli.photo_sets.journal import Entry, Journal, digest, sizes
from services.cli.photo_sets.outcome import PhotoOutcome
from services.cli.photo_sets.retry_outliers import Fits, retry_outliers
from services.cli.photo_sets.set_colours import propose_mask
from services.cli.photo_sets.thumbnails import Thumbnail, encode_png, make_thumbnail, read_working
from services.cli.photo_sets.watching import Settling, watch_photos
from services.common.client import Client
from services.common.errors import InvalidImage, InvalidOption, Overloaded, UnflatError

_TRIES = 6  # at a service that is full
_PAUSE_S = 1.0  # between them, where it does not say how long


class Maker(Protocol):
    """Makes the results of one photo."""

    def planned(self, item: PhotoItem) -> list[Path]:
        """Return the files that will be written for a photo."""
        ...

    def make(self, client: Client, item: PhotoItem, photo: bytes, *, proposed_mask: bytes = b"") -> PhotoOutputs:
        """Ask for the results of a photo; `proposed_mask`, an encoded grey picture, replaces segmentation."""
        ...


@dataclass(frozen=True)
class SetOptions:
    """How a set is worked through.

    Attributes:
        inputs: folders of photos, and photos.
        out: folder of the results.
        also_read: other files that must not be written over.
        digest: of everything asked of a photo; another one makes photos anew.
        jobs: photos at a time.
        consistency: look for views that stand out, and make those again.
        watch: wait for more photos until Ctrl-C.
    """

    inputs: Sequence[Path]
    out: Path
    digest: str
    also_read: Sequence[Path] = ()
    jobs: int = 2
    consistency: bool = True
    watch: bool = False


OnPhoto = Callable[[PhotoOutcome], None]
"""Called once a photo, as it is finished."""


class PhotoSet:
    """Works through a set. What has ended stands in `outcomes`, by place.

    Args:
        client: of the orchestrator; calls that run are cancelled by closing it.
        maker: makes one photo.
        options: what and how.
        console: where progress is shown.
        on_photo: hears of every photo.
    """

    def __init__(
        self,
        client: Client,
        maker: Maker,
        options: SetOptions,
        console: Console,
        on_photo: OnPhoto = lambda _: None,
    ) -> None:
        self._client = client
        self._maker = maker
        self._options = options
        self._console = console
        self._on_photo = on_photo
        self._journal = Journal(options.out)
        self._stopped = threading.Event()
        self.outcomes: dict[Path, PhotoOutcome] = {}

    def run(self) -> bool:
        """Work through everything and return whether it came to its end; Ctrl-C ends it early, a watch as it should."""
        options = self._options
        try:
            if options.watch:
                self._watch()
            else:
                self._say_left_out()
                self._work_through(self._find())
        except KeyboardInterrupt:
            if not options.watch:
                return False
        if options.consistency and not self._stopped.is_set():
            retry_outliers(self.outcomes, self._retry)
        return True

    # ── once ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _find(self) -> list[PhotoItem]:
        options = self._options
        return find_items(options.inputs, options.out, options.also_read, self._journal.files())

    def _say_left_out(self) -> None:
        aside = left_out(self._options.inputs)
        if aside:
            said = f"left out {len(aside)} in hidden folders or among thumbnails, {aside[0]} for one"
            self._console.print(said, highlight=False, soft_wrap=True, markup=False)

    def _watch(self) -> None:
        folders = [path for path in self._options.inputs if path.is_dir()]
        self._console.print(f"waiting for photos in {', '.join(map(str, folders))}; Ctrl-C ends", markup=False)
        for whole in watch_photos(folders, [item.photo for item in self._find_any()], Settling()):
            wanted = {path.resolve() for path in whole}
            self._work_through([item for item in self._find_any() if item.photo.resolve() in wanted])

    def _find_any(self) -> list[PhotoItem]:
        try:
            return self._find()
        except InvalidOption:  # no photo yet
            return []

    def _work_through(self, items: Sequence[PhotoItem]) -> None:
        clashes = colliding(items, {item.photo: self._maker.planned(item) for item in items})
        for item in (item for item in items if item.photo in clashes):
            sentence = f"its results would have the names of {clashes[item.photo]}'s"
            self._end(PhotoOutcome(item, problem=InvalidImage(sentence)))
        free = [item for item in items if item.photo not in clashes]
        pool = ThreadPoolExecutor(self._options.jobs)
        futures = [pool.submit(self._one, item) for item in free]
        try:
            with _bar(self._console, len(futures)) as advance:
                for future in as_completed(futures):
                    self._end(future.result())
                    advance()
        except BaseException:
            self._stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            self._client.close()
            pool.shutdown(wait=True)
            for future in futures:
                if not future.cancelled() and future.exception() is None:
                    self._end_if_done(future.result())
            raise
        pool.shutdown()

    def _end_if_done(self, outcome: PhotoOutcome) -> None:
        """Count what was finished while we stopped; what failed, failed because we did."""
        if outcome.entry is not None and outcome.item.place not in self.outcomes:
            self._end(outcome)

    def _end(self, outcome: PhotoOutcome) -> None:
        self.outcomes[outcome.item.place] = outcome
        self._on_photo(outcome)

    def _one(self, item: PhotoItem) -> PhotoOutcome:
        try:
            photo = read_photo(item.photo)
            entry = self._journal.done(item.place, photo, self._options.digest)
            if entry is not None:
                return PhotoOutcome(item, entry)
            outputs = self._make(item, photo)
            thumbnail = make_thumbnail(read_working(photo), outputs.mask)
            return PhotoOutcome(item, self._keep(item, photo, outputs, thumbnail), receipt=outputs.receipt)
        except UnflatError as problem:
            return PhotoOutcome(item, problem=problem)

    def _make(self, item: PhotoItem, photo: bytes, proposed_mask: bytes = b"") -> PhotoOutputs:
        """Make one photo; a service that is full is asked again."""
        for _ in range(_TRIES - 1):
            try:
                return self._maker.make(self._client, item, photo, proposed_mask=proposed_mask)
            except Overloaded as problem:
                self._stopped.wait(_PAUSE_S if problem.retry_after_s is None else problem.retry_after_s)
        return self._maker.make(self._client, item, photo, proposed_mask=proposed_mask)

    def _keep(
        self, item: PhotoItem, photo: bytes, outputs: PhotoOutputs, thumbnail: Thumbnail, retry: str = ""
    ) -> Entry:
        """Write the results and note them."""
        files = write_all(outputs.files)
        entry = Entry(
            place=item.place.as_posix(),
            photo_sha256=digest(photo),
            options=self._options.digest,
            files=sizes(self._options.out, files),
            thumbnail=thumbnail,
            confidence=round(outputs.receipt.mask.confidence, 4),
            warnings=tuple(outputs.receipt.warnings),
            retry=retry,
        )
        self._journal.add(entry)
        return entry

    # ── views that stand out ────────────────────────────────────────────────────────────────────────────────────────

    def _retry(self, outcome: PhotoOutcome, neighbours: Sequence[Thumbnail], fits: Fits) -> None:
        """Make a photo again with the mask that the set's colours propose; keep it where it no longer stands out."""
        item = outcome.item
        try:
            photo = read_photo(item.photo)
            working = read_working(photo)
            with self._console.status(f"once more: {item.photo.name}"):
                outputs = self._make(item, photo, encode_png(propose_mask(working, neighbours)))
            thumbnail = make_thumbnail(working, outputs.mask)
            if fits(thumbnail):
                entry = self._keep(item, photo, outputs, thumbnail, retry="kept")
                outcome.entry, outcome.problem, outcome.doubt = entry, None, None
                outcome.receipt = outputs.receipt
                return
        except UnflatError:
            pass  # the first attempt stands, with its doubt
        if outcome.entry is not None and outcome.doubt is not None:
            outcome.entry = replace(outcome.entry, doubts=outcome.doubt.reasons, retry="dropped")
            self._journal.add(outcome.entry)


@contextmanager
def _bar(console: Console, total: int) -> Iterator[Callable[[], None]]:
    columns = (
        TextColumn("photos"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("photos", total=total)
        yield lambda: progress.advance(task)
