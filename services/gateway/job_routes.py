"""Jobs over HTTP: send a photo, follow it by its id, fetch the result; a lost connection loses nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response, StreamingResponse

from services.common.errors import StageUnavailable
from services.common.logs import get_logger
from services.gateway.answers import file_answer
from services.gateway.gateway import Gateway
from services.gateway.job import RESULT, Job
from services.gateway.pipeline_routes import (
    PROBLEM,
    PROBLEMS,
    CutoutForm,
    CutoutMaskForm,
    DepthPart,
    MaskPart,
    MeshForm,
    MeshMaskForm,
    PhotoPart,
    read_photo,
)

_RETRY_MS = 2000  # when a browser comes back after a lost stream of events
_EVENT_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # nginx would hold events back
_EXAMPLE = {
    "id": "6f0d3c1b9a7e4d52a1f08c3b7d9e2f64",
    "kind": "mesh",
    "state": "running",
    "stage": "mesher",
    "step": "extract",
    "fraction": 0.62,
    "elapsed_s": 1.4,
    "error": None,
    "artifacts": ["preview.png"],
    "result": None,
    "receipt": None,
    "created": "2026-01-31T12:00:00.000Z",
    "expires": "2026-01-31T12:30:01.400Z",
}
_JOB = {"content": {"application/json": {"schema": {"type": "object"}, "example": _EXAMPLE}}}
_NO_JOB = {"description": "There is no such job (any more)", **PROBLEM}
_NOT_THERE = {"description": "The store of jobs is not there", **PROBLEM}
_STARTED: dict[int | str, dict[str, Any]] = {202: {"description": "The job, at Location", **_JOB}, **PROBLEMS}
_READ: dict[int | str, dict[str, Any]] = {404: _NO_JOB, 503: _NOT_THERE}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_EVENTS = {"description": "The job at every change", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
_ENDED = {"description": "The job is over, as Last-Event-ID shows that the reader knows"}
_FILE = {"description": "The cutout or the mesh", "content": {"application/octet-stream": _BINARY}}
_PNG = {"description": "The picture", "content": {"image/png": _BINARY}}
_EARLY = {"description": "The job is not done, or has failed", **PROBLEM}
_GONE = {"description": "The bytes had to make room for others", **PROBLEM}
_FOLLOWED: dict[int | str, dict[str, Any]] = {200: _EVENTS, 204: _ENDED, **_READ}
_FETCHED: dict[int | str, dict[str, Any]] = {200: _FILE, 409: _EARLY, 410: _GONE, **_READ}
_SEEN: dict[int | str, dict[str, Any]] = {200: _PNG, 410: _GONE, **_READ}
_log = get_logger()


def job_router(gateway: Gateway) -> APIRouter:
    """Return the routes of jobs."""
    router = APIRouter(tags=["jobs"])

    async def found(job_id: str) -> Job:
        job = await gateway.book.read(job_id)
        if job is None:
            kept = f"jobs are kept for {gateway.settings.job_ttl_s:.0f} s after their last change"
            raise HTTPException(404, f"there is no job under this id; {kept}")
        return job

    @router.post("/jobs/cutout", status_code=202, response_class=JSONResponse, responses=_STARTED)
    async def start_cutout(
        file: PhotoPart,
        wishes: CutoutMaskForm,
        cutout_and_named: CutoutForm,
        mask: MaskPart = None,
        depth_map: DepthPart = None,
    ) -> Response:
        """Start what POST /remove-bg does, with the pictures of its steps as artifacts."""
        photo, wishes = await read_photo(file, wishes, mask, depth_map)
        return _started(await gateway.jobs.start_cutout(photo, wishes, cutout_and_named[0], file.filename or ""))

    @router.post("/jobs/mesh", status_code=202, response_class=JSONResponse, responses=_STARTED)
    async def start_mesh(
        file: PhotoPart,
        wishes: MeshMaskForm,
        mesh: MeshForm,
        mask: MaskPart = None,
        depth_map: DepthPart = None,
    ) -> Response:
        """Start what POST /generate-mesh does, with the pictures of its steps as artifacts.

        curl -X POST -F "file=@test.jpg" http://localhost:8000/jobs/mesh
        curl -N http://localhost:8000/jobs/ID/events
        curl http://localhost:8000/jobs/ID/result -o model.glb
        """
        photo, wishes = await read_photo(file, wishes, mask, depth_map)
        return _started(await gateway.jobs.start_mesh(photo, wishes, mesh, file.filename or ""))

    @router.get("/jobs/{job_id}", response_class=JSONResponse, responses={200: {"description": "", **_JOB}, **_READ})
    async def job(job_id: str) -> JSONResponse:
        """Return the job as it is: queued, running, done or failed, and why."""
        return JSONResponse((await found(job_id)).as_json())

    @router.get("/jobs/{job_id}/events", response_class=StreamingResponse, responses=_FOLLOWED)
    async def events(job_id: str, last_event_id: Annotated[str, Header()] = "") -> Response:
        """Stream the job as server-sent events `job`, at every change, until it is over.

        A reader that comes back is told the state as it is. 204 tells a browser that knows the end to stay away.
        """
        first = await found(job_id)
        if first.is_over and last_event_id == str(first.revision):
            return Response(status_code=204)
        return StreamingResponse(_events(gateway, first), 200, _EVENT_HEADERS, "text/event-stream")

    @router.get("/jobs/{job_id}/result", response_class=Response, responses=_FETCHED)
    async def result(job_id: str) -> Response:
        """Return the cutout or the mesh of a job that is done."""
        done = await found(job_id)
        if done.result is None:
            why = f": {done.error['detail']}" if done.error else "; follow it until it is done"
            raise HTTPException(409, f"this job is {done.state}{why}")
        return file_answer(await _file(gateway, job_id, RESULT), done.result, {})

    @router.get("/jobs/{job_id}/artifacts/{name}", response_class=Response, responses=_SEEN)
    async def artifact(job_id: str, name: str) -> Response:
        """Return a picture of one step: preview, segmentation, depth, depth_mask, hybrid, cutout or views (.png)."""
        job = await found(job_id)
        if name not in job.artifacts:
            raise HTTPException(404, f"this job has no such picture; it has {', '.join(job.artifacts) or 'none yet'}")
        return Response(await _file(gateway, job_id, name), 200, media_type="image/png")

    @router.delete("/jobs/{job_id}", status_code=204, response_class=Response, responses=_READ)
    async def forget(job_id: str) -> Response:
        """Cancel the job on all stages, if it runs, and forget it."""
        await gateway.book.forget(await found(job_id))
        return Response(status_code=204)

    return router


def _started(job: Job) -> Response:
    return JSONResponse(job.as_json(), 202, {"Location": f"/jobs/{job.id}"})


async def _file(gateway: Gateway, job_id: str, name: str) -> bytes:
    data = await gateway.book.file(job_id, name)
    if data is None:
        raise HTTPException(410, "these bytes had to make room for younger ones; send the photo again")
    return data


async def _events(gateway: Gateway, first: Job) -> AsyncIterator[str]:
    yield f"retry: {_RETRY_MS}\n\n"
    try:
        async for job in gateway.book.watch(first, gateway.settings.heartbeat_s):
            if job is None:
                yield ": still here\n\n"
            else:
                yield f"id: {job.revision}\nevent: job\ndata: {json.dumps(job.as_json())}\n\n"
    except StageUnavailable as problem:  # the head is out already: end here, the reader comes back
        _log.warning("events ended", job=first.id, reason=problem.message)
