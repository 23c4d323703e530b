"""How a stream of an aio server is counted when its caller leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from prometheus_client import REGISTRY

from services.common.serving.interceptors import AioErrorInterceptor
from unflat.v1 import orchestrator_pb2 as pb

PROGRESS = pb.GenerateMeshResponse(progress=pb.Progress(stage="mesher"))
RESULT = pb.GenerateMeshResponse(result=pb.MeshResult(mesh=b"mesh"))


def _leave_after(method: str, events: int) -> None:
    """Take so many events of a guarded stream of progress and a result, then leave."""

    async def inner(request: Any, context: Any) -> AsyncIterator[pb.GenerateMeshResponse]:
        yield PROGRESS
        yield RESULT

    async def continuation(details: Any) -> Any:
        return grpc.unary_stream_rpc_method_handler(inner)

    async def scenario() -> None:
        details: Any = type("Details", (), {"method": method, "invocation_metadata": ()})
        handler: Any = await AioErrorInterceptor().intercept_service(continuation, details)
        stream = handler.unary_stream(None, None)
        for _ in range(events):
            await anext(stream)
        await stream.aclose()

    asyncio.run(scenario())


def _count(method: str, code: str) -> float:
    return REGISTRY.get_sample_value("unflat_request_seconds_count", {"method": method, "code": code}) or 0.0


@pytest.mark.parametrize(("events", "code"), [(1, "CANCELLED"), (2, "OK")])
def test_who_leaves_with_the_result_has_been_answered(events, code):
    method = f"/tested/leaves-after-{events}"
    _leave_after(method, events)
    assert _count(method, code) == 1
    assert sum(_count(method, other) for other in ("OK", "CANCELLED")) == 1
