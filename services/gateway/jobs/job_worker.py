"""One job on its way: the orchestrator's progress into the record, its result into the store."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from services.common.client import CutoutResult, MeshResult, Progress
from services.common.errors import Internal, StageUnavailable, UnflatError
from services.common.receipts import receipt_to_dict
from services.common.telemetry.logs import bind_request, get_logger
from services.gateway.jobs.job import PREVIEW, RESULT, Job, Kind, Result
from services.gateway.jobs.job_repository import LOOK_S, JobRepository
from services.gateway.problems import problem_body
from services.gateway.storage.receipt_repository import ReceiptRepository
from services.gateway.work import CallerLeftError, WorkPool, last_of
from unflat.v1 import orchestrator_pb2 as pb

Made = TypeVar("Made", bound=CutoutResult | MeshResult)
Events: TypeAlias = Iterator[Progress | Made]
_log = get_logger()


@dataclass(frozen=True)
class JobSpec(Generic[Made]):
    """What a job is to do.

    Attributes:
        stream: asks the orchestrator, under the job's id.
        cancel: cancels that, by the same id.
        made: the type that its result has.
        files: makes of the result what is to be kept: its bytes under `RESULT`, pictures under their names.
    """

    kind: Kind
    stream: Callable[[str], Events[Made]]
    cancel: Callable[[str], None]
    made: type[Made]
    files: Callable[[Made], Awaitable[tuple[Result, dict[str, bytes]]]]


class JobWorker(Generic[Made]):
    """Follows one job to its end, whatever that is.

    Args:
        job: as the book has it.
        order: what is to be done.
        pool: bounds what runs and what waits.
        book: where the job is written down.
        receipts: where its receipt is kept, under the job's id.
    """

    def __init__(
        self, job: Job, order: JobSpec[Made], pool: WorkPool, book: JobRepository, receipts: ReceiptRepository
    ) -> None:
        self.job = job
        self._order: JobSpec[Made] = order
        self._pool = pool
        self._book = book
        self._receipts = receipts

    async def run(self) -> None:
        """Run it; the record says how it ended. Nothing is raised."""
        bind_request(self.job.id)
        try:
            await self._finish(await self._follow())
        except CallerLeftError:
            self.job = self.job.cancelled()
        except UnflatError as problem:
            await self._fail(problem)
        except asyncio.CancelledError:
            await self._fail(StageUnavailable("the gateway was stopped while the job ran; send the photo again"))
        except Exception as defect:  # noqa: BLE001 - whatever it is, the job must not say "running" for ever
            _log.error("defect", exc_info=defect)
            await self._fail(Internal(f"an internal error happened; its trace is in the log under {self.job.id}"))
        _log.info("job", kind=self.job.kind, state=self.job.state, seconds=self.job.elapsed_s)

    async def _follow(self) -> Made:
        """Return the result; write progress down as it comes, and stop the work once nobody wants the job.

        Raises:
            CallerLeftError: the job was forgotten.
        """
        loop = asyncio.get_running_loop()
        news, forgotten = _News(loop), loop.create_future()

        def work(gone: threading.Event) -> Made:
            news.tell(pb.Progress(stage="orchestrator"))
            return last_of(_told(self._order.stream(self.job.id), news), self._order.made, gone)

        turn = asyncio.ensure_future(self._pool.run_until(forgotten, work, lambda: self._order.cancel(self.job.id)))
        try:
            while not turn.done():
                await news.wait_for_any(turn, LOOK_S)
                if not await self._note(news) and not forgotten.done():
                    forgotten.set_result(None)
            return turn.result()
        finally:
            if not forgotten.done():
                forgotten.set_result(None)

    async def _note(self, news: _News) -> bool:
        """Write down what came, and return whether the job is still wanted."""
        progress, preview = news.take()
        try:
            if progress is None:
                return await self._book.read(self.job.id) is not None
            self.job = self.job.advanced(progress)
            if preview:
                await self._book.keep_file(self.job.id, PREVIEW, preview)
                self.job = self.job.with_artifact(PREVIEW)
            return await self._write(self.job)
        except StageUnavailable:  # progress that nobody can read is no reason to stop: the store may be back in time
            return True

    async def _finish(self, made: Made) -> None:
        result, files = await self._order.files(made)
        receipt = receipt_to_dict(made.receipt)
        for name, data in files.items():
            await self._book.keep_file(self.job.id, name, data)
        await self._receipts.put(self.job.id, receipt)
        pictures = (*self.job.artifacts, *(name for name in files if name != RESULT))
        done = self.job.done(result, pictures, receipt)
        if not await self._write(done):
            await self._book.forget(done)  # it was forgotten before these files were written
            self.job = done.cancelled()

    async def _fail(self, problem: UnflatError) -> None:
        _log.info("refused", reason=problem.reason, detail=problem.message)
        self.job = self.job.failed(problem_body(problem, self.job.id))
        with contextlib.suppress(StageUnavailable):
            await self._book.write(self.job)

    async def _write(self, job: Job) -> bool:
        kept = await self._book.write(job)
        self.job = kept or job
        return kept is not None


class _News:
    """The latest from a thread: of progress the last counts, the preview is kept until it is taken."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._came = asyncio.Event()
        self._progress: Progress | None = None
        self._preview = b""

    def tell(self, progress: Progress) -> None:
        """Hand over; called by the thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended before the thread
            self._loop.call_soon_threadsafe(self._put, progress)

    def take(self) -> tuple[Progress | None, bytes]:
        """Return progress and preview since the last time."""
        self._came.clear()
        progress, preview = self._progress, self._preview
        self._progress, self._preview = None, b""
        return progress, preview

    async def wait_for_any(self, turn: asyncio.Future[Made], timeout_s: float) -> None:
        """Wait until there is something to take, `turn` is done, or the time is up."""
        came = asyncio.ensure_future(self._came.wait())
        await asyncio.wait((turn, came), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        came.cancel()

    def _put(self, progress: Progress) -> None:
        self._progress = progress
        self._preview = progress.preview_png or self._preview
        self._came.set()


def _told(events: Events[Made], news: _News) -> Events[Made]:
    """Yield what `events` yields, and tell the progress in it."""
    try:
        for event in events:
            if isinstance(event, pb.Progress):
                news.tell(event)
            yield event
    finally:
        if isinstance(events, Generator):
            events.close()
