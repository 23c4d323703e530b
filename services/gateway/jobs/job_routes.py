"""Jobs over HTTP: send a photo, follow it by its id, fetch the result; a lost connection loses nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated, get_args

from fastapi import APIRouter, Header
from fastapi.sse import format_sse_event
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response, StreamingResponse

from services.common.choices import ImageFormat
from services.common.errors import StageUnavailable
from services.common.telemetry.logs import get_logger
from services.gateway.gateway import Gateway
from services.gateway.jobs.job import RESULT, Job
from services.gateway.routes.openapi import UPLOAD_REFUSALS, Responses, file_of, job_answer, refusals
from services.gateway.routes.pipeline_routes import CutoutForm, CutoutUpload, MeshForm, MeshUpload
from services.gateway.routes.responses import MESH_MEDIA_TYPES, file_answer

_RETRY_MS = 2000  # when a browser comes back after a lost stream of events
_EVENT_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # nginx would hold events back
_READ = refusals(401, 404, 503)
_STARTED: Responses = {202: job_answer("The job, at Location", new=True), **UPLOAD_REFUSALS}
_STATE: Responses = {200: job_answer("The job as it is", new=False), **_READ}
_EVENT = {"type": "object", "description": "event: job; data: the job, as GET /jobs/{job_id} returns it"}
_EVENTS = {"description": "The job at every change", "content": {"text/event-stream": {"schema": _EVENT}}}
_ENDED = {"description": "The job is over, as Last-Event-ID shows that the reader knows"}
_FOLLOWED: Responses = {200: _EVENTS, 204: _ENDED, **_READ}
_RESULTS = tuple(f"image/{name}" for name in get_args(ImageFormat)) + MESH_MEDIA_TYPES
_FETCHED: Responses = {200: file_of("The cutout or the mesh", *_RESULTS), **refusals(409, 410), **_READ}
_SEEN: Responses = {200: file_of("The picture", "image/png"), **refusals(410), **_READ}
_log = get_logger()


def job_router(gateway: Gateway) -> APIRouter:
    """Return the routes of jobs."""
    router = APIRouter(tags=["jobs"])

    async def found(job_id: str) -> Job:
        job = await gateway.jobs.read(job_id)
        if job is None:
            kept = f"jobs are kept for {gateway.settings.job_ttl_s:.0f} s after their last change"
            raise HTTPException(404, f"there is no job under this id; {kept}")
        return job

    @router.post("/jobs/cutout", status_code=202, response_class=JSONResponse, responses=_STARTED)
    async def start_cutout(
        upload: CutoutUpload,
        cutout: CutoutForm,
    ) -> Response:
        """Start what POST /remove-bg does, with the pictures of its steps as artifacts."""
        return _started(await gateway.runner.start_cutout(upload.photo, upload.mask, cutout, upload.name))

    @router.post("/jobs/mesh", status_code=202, response_class=JSONResponse, responses=_STARTED)
    async def start_mesh(
        upload: MeshUpload,
        mesh: MeshForm,
    ) -> Response:
        """Start what POST /generate-mesh does, with the pictures of its steps as artifacts.

        curl -X POST -F "file=@test.jpg" http://localhost:8000/jobs/mesh
        curl -N http://localhost:8000/jobs/ID/events
        curl http://localhost:8000/jobs/ID/result -o model.glb
        """
        return _started(await gateway.runner.start_mesh(upload.photo, upload.mask, mesh, upload.name))

    @router.get("/jobs/{job_id}", response_class=JSONResponse, responses=_STATE)
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
        await gateway.jobs.forget(await found(job_id))
        return Response(status_code=204)

    return router


def _started(job: Job) -> Response:
    return JSONResponse(job.as_json(), 202, {"Location": f"/jobs/{job.id}"})


async def _file(gateway: Gateway, job_id: str, name: str) -> bytes:
    data = await gateway.jobs.file(job_id, name)
    if data is None:
        raise HTTPException(410, "these bytes had to make room for younger ones; send the photo again")
    return data


async def _events(gateway: Gateway, first: Job) -> AsyncIterator[bytes]:
    yield format_sse_event(retry=_RETRY_MS)
    try:
        async for job in gateway.jobs.watch(first, gateway.settings.heartbeat_s):
            if job is None:
                yield format_sse_event(comment="still here")
            else:
                yield format_sse_event(event="job", id=str(job.revision), data_str=json.dumps(job.as_json()))
    except StageUnavailable as problem:  # the head is out already: end here, the reader comes back
        _log.warning("events ended", job=first.id, reason=problem.message)
