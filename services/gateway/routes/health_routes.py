"""GET /healthz, /readyz, /metrics."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.common.errors import StageUnavailable, UnflatError
from services.common.receipts import receipt_to_dict
from services.common.version import VERSION
from services.gateway.gateway import Gateway
from services.gateway.storage.store import Store
from unflat.v1 import orchestrator_pb2 as pb

_NEEDED = ("segmentation", "mesher")
_DEPTH = "depth"
_PROBE_S = 1.0  # probes have a second or two themselves


def health_router(gateway: Gateway) -> APIRouter:
    """Return the routes that balancers, people and scrapers ask."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz", response_class=JSONResponse)
    async def healthz() -> JSONResponse:
        """Say that the process is alive; nothing else is asked."""
        return JSONResponse({"status": "alive", "version": VERSION})

    @router.get("/readyz", response_class=JSONResponse, responses={503: {"description": "Not ready, with reasons"}})
    async def readyz() -> JSONResponse:
        """Say whether photos can be served: 200 `ready`, or `degraded` without depth or the job store, 503 `down`."""
        if gateway.draining.on:
            return JSONResponse({"status": "down", "reasons": ["the gateway is shutting down"]}, 503)
        try:
            status = await gateway.status.get()
        except UnflatError as problem:
            return JSONResponse({"status": "down", "reasons": [problem.message]}, 503)
        body = readiness(status)
        if not await _is_there(gateway.store):  # photos are served all the same, jobs are not
            body["reasons"].append("store: it does not answer; there are no jobs and no receipts")
            body["status"] = "degraded" if body["status"] == "ready" else body["status"]
        return JSONResponse(body, 503 if body["status"] == "down" else 200)

    @router.get("/metrics", response_class=Response)
    async def metrics(request: Request) -> Response:
        """Return the metrics in Prometheus' text format, or in OpenMetrics where that is accepted."""
        write, kind = choose_encoder(request.headers.get("accept", ""))
        return Response(write(REGISTRY), headers={"content-type": kind})

    return router


async def _is_there(store: Store) -> bool:
    try:
        async with asyncio.timeout(_PROBE_S):
            await store.get("probe")
    except (StageUnavailable, TimeoutError):
        return False
    return True


def readiness(status: pb.GetStatusResponse) -> dict[str, Any]:
    """Return status (ready, degraded, down), the reasons for it, and how each stage is."""
    stages = {stage.stage: stage for stage in status.stages}
    missing = [f"{name}: {_why(stages.get(name))}" for name in _NEEDED if not _serves(stages.get(name))]
    reasons = list(missing)
    if not _serves(stages.get(_DEPTH)):
        reasons.append(f"{_DEPTH}: {_why(stages.get(_DEPTH))}")
    word = "down" if missing else "degraded" if reasons else "ready"
    shown = ("stage", "serving", "reason", "backend", "device", "breaker")
    rows = [{name: row.get(name, "") for name in shown} for row in map(receipt_to_dict, status.stages)]
    return {"status": word, "reasons": reasons, "stages": rows}


def _serves(stage: pb.StageStatus | None) -> bool:
    return stage is not None and stage.serving == pb.SERVING_SERVING


def _why(stage: pb.StageStatus | None) -> str:
    if stage is None:
        return "not configured"
    return stage.reason or pb.Serving.Name(stage.serving).removeprefix("SERVING_").lower().replace("_", " ")
