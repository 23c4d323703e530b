"""Starts jobs; they share places and queue with the requests that wait for their answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from services.common.client import CutoutResult, MeshResult, Progress
from services.common.options import CutoutOptions, MaskOptions, MeshOptions
from services.common.serving.admission import AioAdmission
from services.gateway.jobs.job import CUTOUT, RESULT, VIEWS, Job, ResultInfo
from services.gateway.jobs.job_repository import JobRepository
from services.gateway.jobs.job_worker import JobSpec, JobWorker, R
from services.gateway.jobs.mesh_sheet import PHOTO, SheetMaker
from services.gateway.orchestrator import Orchestrator
from services.gateway.routes.responses import cutout_info, mesh_info
from services.gateway.storage.receipt_repository import ReceiptRepository


class JobRunner:
    """Starts jobs, and ends them with the process.

    Args:
        client: the way to the orchestrator.
        admission: bounds what runs and what waits.
        jobs: where jobs are written down.
        receipts: where receipts are kept, under the job's id.
    """

    def __init__(
        self, client: Orchestrator, admission: AioAdmission, jobs: JobRepository, receipts: ReceiptRepository
    ) -> None:
        self._client = client
        self._admission = admission
        self._jobs = jobs
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

        def stream(job_id: str) -> AsyncGenerator[Progress | CutoutResult, None]:
            return self._client.stream_cutout(photo, mask=mask, cutout=cutout, debug=True, request_id=job_id)

        async def files(result: CutoutResult) -> tuple[ResultInfo, dict[str, bytes]]:
            is_cutout = result.media_type == "image/png" and not cutout.mask_only
            pictures = {CUTOUT: result.data} if is_cutout else {}
            info = cutout_info(result, upload, mask_only=cutout.mask_only)
            return info, {RESULT: result.data, **pictures, **_as_files(result.debug)}

        return await self._start(JobSpec("cutout", stream, files))

    async def start_mesh(self, photo: bytes, mask: MaskOptions, mesh: MeshOptions, upload: str) -> Job:
        """Return a new job that makes a mesh of the subject of `photo`.

        Raises:
            Overloaded: as many jobs and requests wait as may.
            StageUnavailable: the store of jobs cannot be reached.
        """

        def stream(job_id: str) -> AsyncGenerator[Progress | MeshResult, None]:
            return self._client.stream_mesh(photo, mask=mask, mesh=mesh, debug=True, request_id=job_id)

        async def files(result: MeshResult) -> tuple[ResultInfo, dict[str, bytes]]:
            sheet = await self._sheets.draw(result)
            views = {VIEWS: sheet} if sheet else {}
            info = mesh_info(result, upload)
            return info, {RESULT: result.data, CUTOUT: result.cutout, **_as_files(result.debug), **views}

        return await self._start(JobSpec("mesh", stream, files))

    async def close(self, grace_s: float) -> None:
        """Let running jobs finish within `grace_s`, then fail them."""
        running = set(self._running)
        if running:
            _, late = await asyncio.wait(running, timeout=grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _start(self, spec: JobSpec[R]) -> Job:
        self._admission.refuse_if_full()
        job = await self._jobs.open(spec.kind)
        task = asyncio.create_task(JobWorker(job, spec, self._admission, self._jobs, self._receipts).run())
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return job


def _as_files(pictures: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{name}.png": data for name, data in pictures.items() if name != PHOTO}
