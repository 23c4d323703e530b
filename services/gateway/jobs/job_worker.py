"""One job on its way: the orchestrator's progress into the record, its result into the store."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from services.common.client import CutoutResult, MeshResult, Progress, result_of
from services.common.errors import Internal, StageUnavailable, UnflatError
from services.common.receipts import receipt_to_dict
from services.common.serving.admission import AioAdmission
from services.common.telemetry.logs import bind_request, get_logger
from services.gateway.callers import CallerLeftError
from services.gateway.jobs.job import PREVIEW, RESULT, Job, Kind, ResultInfo
from services.gateway.jobs.job_repository import LOOK_S, JobRepository
from services.gateway.problems import problem_body
from services.gateway.storage.receipt_repository import ReceiptRepository

R = TypeVar("R", bound=CutoutResult | MeshResult)
_log = get_logger()


@dataclass(frozen=True)
class JobSpec(Generic[R]):
    """What a job is to do.

    Attributes:
        kind: cutout or mesh.
        stream: asks the orchestrator, under the job's id.
        files: makes of the result what is to be kept: its bytes under `RESULT`, pictures under their names.
    """

    kind: Kind
    stream: Callable[[str], AsyncGenerator[Progress | R, None]]
    files: Callable[[R], Awaitable[tuple[ResultInfo, dict[str, bytes]]]]


class JobWorker(Generic[R]):
    """Follows one job to its end, whatever that is.

    Args:
        job: as the repository has it.
        spec: what is to be done.
        admission: bounds what runs and what waits.
        jobs: where the job is written down.
        receipts: where its receipt is kept, under the job's id.
    """

    def __init__(
        self, job: Job, spec: JobSpec[R], admission: AioAdmission, jobs: JobRepository, receipts: ReceiptRepository
    ) -> None:
        self.job = job
        self._spec: JobSpec[R] = spec
        self._admission = admission
        self._jobs = jobs
        self._receipts = receipts
        self._has_news = asyncio.Event()
        self._progress: Progress | None = None
        self._preview = b""

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

    async def _follow(self) -> R:
        """Return the result; write progress down as it comes, and stop the call once nobody wants the job.

        Raises:
            CallerLeftError: the job was forgotten.
        """
        call = asyncio.create_task(self._call())
        call.add_done_callback(lambda _: self._has_news.set())
        try:
            while not call.done():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._has_news.wait(), LOOK_S)
                if not await self._record_news():
                    raise CallerLeftError
            return call.result()
        finally:
            call.cancel()
            del call  # a failed call, its error and this frame would keep each other, and the photo

    async def _call(self) -> R:
        async with self._admission.admit():
            self._tell(Progress(stage="orchestrator"))
            return await result_of(self._spec.stream(self.job.id), self._tell)

    def _tell(self, progress: Progress) -> None:
        """Take note of progress: of several between two writes the last counts, a preview is kept."""
        self._progress = progress
        self._preview = progress.preview_png or self._preview
        self._has_news.set()

    async def _record_news(self) -> bool:
        """Write down what came, and return whether the job is still wanted."""
        self._has_news.clear()
        progress, preview = self._progress, self._preview
        self._progress, self._preview = None, b""
        try:
            if progress is None:
                return await self._jobs.read(self.job.id) is not None
            self.job = self.job.advanced(progress)
            if preview:
                await self._jobs.keep_file(self.job.id, PREVIEW, preview)
                self.job = self.job.with_artifact(PREVIEW)
            return await self._write(self.job)
        except StageUnavailable:  # progress that nobody can read is no reason to stop: the store may be back in time
            return True

    async def _finish(self, result: R) -> None:
        info, files = await self._spec.files(result)
        receipt = receipt_to_dict(result.receipt)
        for name, data in files.items():
            await self._jobs.keep_file(self.job.id, name, data)
        await self._receipts.put(self.job.id, receipt)
        pictures = (*self.job.artifacts, *(name for name in files if name != RESULT))
        done = self.job.done(info, pictures, receipt)
        if not await self._write(done):
            await self._jobs.forget(done)  # it was forgotten before these files were written
            self.job = done.cancelled()

    async def _fail(self, problem: UnflatError) -> None:
        _log.info("refused", reason=problem.reason, detail=problem.message)
        self.job = self.job.failed(problem_body(problem, self.job.id))
        with contextlib.suppress(StageUnavailable):
            await self._jobs.write(self.job)

    async def _write(self, job: Job) -> bool:
        kept = await self._jobs.write(job)
        self.job = kept or job
        return kept is not None
