"""Starts jobs; they share threads and queue with the requests that wait for their answer."""

from __future__ import annotations

import asyncio

from services.common.client import CutoutResult, MeshResult
from services.common.options import CutoutOptions, MaskOptions, MeshOptions
from services.gateway.jobs.job import CUTOUT, RESULT, VIEWS, Job, Result
from services.gateway.jobs.job_repository import JobRepository
from services.gateway.jobs.job_worker import Events, JobSpec, JobWorker, Made
from services.gateway.jobs.mesh_sheet import SheetMaker
from services.gateway.orchestrator import Orchestrator
from services.gateway.routes.responses import cutout_result, mesh_result
from services.gateway.storage.receipt_repository import ReceiptRepository
from services.gateway.work import WorkPool


class JobRunner:
    """Starts jobs, and ends them with the process.

    Args:
        client: the way to the orchestrator.
        pool: bounds what runs and what waits.
        book: where jobs are written down.
        receipts: where receipts are kept, under the job's id.
    """

    def __init__(self, client: Orchestrator, pool: WorkPool, book: JobRepository, receipts: ReceiptRepository) -> None:
        self._client = client
        self._pool = pool
        self._book = book
        self._receipts = receipts
        self._sheets = SheetMaker()
        self._running: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> int:
        """Jobs that are not over."""
        return len(self._running)

    async def start_cutout(self, photo: bytes, mask: MaskOptions, cutout: CutoutOptions, upload: str) -> Job:
        """Return a new job that cuts out the subject of `photo`.

        Raises:
            Overloaded: as many jobs and requests wait as may.
            StageUnavailable: the store of jobs cannot be reached.
        """

        def stream(job_id: str) -> Events[CutoutResult]:
            return self._client.stream_cutout(photo, mask=mask, cutout=cutout, debug=True, request_id=job_id)

        async def files(made: CutoutResult) -> tuple[Result, dict[str, bytes]]:
            is_cutout = made.media_type == "image/png" and not cutout.mask_only
            pictures = {CUTOUT: made.data} if is_cutout else {}
            result = cutout_result(made, upload, mask_only=cutout.mask_only)
            return result, {RESULT: made.data, **pictures, **_as_files(made.debug)}

        return await self._start(JobSpec("cutout", stream, self._cancel, CutoutResult, files))

    async def start_mesh(self, photo: bytes, mask: MaskOptions, mesh: MeshOptions, upload: str) -> Job:
        """Return a new job that makes a mesh of the subject of `photo`.

        Raises:
            Overloaded: as many jobs and requests wait as may.
            StageUnavailable: the store of jobs cannot be reached.
        """

        def stream(job_id: str) -> Events[MeshResult]:
            return self._client.stream_mesh(photo, mask=mask, mesh=mesh, debug=True, request_id=job_id)

        async def files(made: MeshResult) -> tuple[Result, dict[str, bytes]]:
            sheet = await self._sheets.draw(photo, made)
            views = {VIEWS: sheet} if sheet else {}
            result = mesh_result(made, upload)
            return result, {RESULT: made.data, CUTOUT: made.cutout, **_as_files(made.debug), **views}

        return await self._start(JobSpec("mesh", stream, self._cancel, MeshResult, files))

    async def close(self, grace_s: float) -> None:
        """Let running jobs finish within `grace_s`, then fail them."""
        running = set(self._running)
        if running:
            _, late = await asyncio.wait(running, timeout=grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._sheets.close()

    def _cancel(self, job_id: str) -> None:
        self._client.cancel(job_id)

    async def _start(self, order: JobSpec[Made]) -> Job:
        self._pool.refuse_if_full()
        job = await self._book.open(order.kind)
        task = asyncio.create_task(JobWorker(job, order, self._pool, self._book, self._receipts).run())
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return job


def _as_files(pictures: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{name}.png": data for name, data in pictures.items()}
