"""Segmentation and mesher as the pipeline calls them (depth: tests/fault)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent import futures
from typing import Any

import grpc
import numpy as np
import pytest
from prometheus_client import REGISTRY

from services.common.errors import Internal, ModelMissing, NoSubject, StageUnavailable
from services.common.rpc_errors import to_status
from services.common.telemetry import metrics
from services.common.wire import alpha_to_proto
from services.orchestrator.stages.depth_stage import NoDepthStage
from services.orchestrator.stages.mesher_stage import MesherStage
from services.orchestrator.stages.segmentation_stage import SegmentationStage
from services.orchestrator.stages.stage_channel import StageChannel
from services.orchestrator.stages.stage_protocols import Meshed, MeshJob
from unflat.v1 import mesher_pb2, segmentation_pb2
from unflat.v1 import orchestrator_pb2 as pb

PHOTO = np.zeros((20, 30, 3), np.uint8)
MASK = np.tile(np.linspace(0, 1, 30, dtype=np.float32), (20, 1))
JOB = MeshJob(np.zeros((16, 16, 4), np.uint8), None, 20.0, 8.0, 8.0)
Answer = Callable[[Any, grpc.ServicerContext], Any]


def _call(kind: str, answer: Answer, work: Callable[[StageChannel], Awaitable[Any]]) -> Any:
    """Serve `answer`, which returns bytes (or yields them), and run `work` with a channel to it."""
    server = grpc.server(futures.ThreadPoolExecutor(4))
    if kind == "segmentation":
        name, method = segmentation_pb2.DESCRIPTOR.services_by_name["SegmentationService"].full_name, "Segment"
        handler = grpc.unary_unary_rpc_method_handler(answer)
    else:
        name, method = mesher_pb2.DESCRIPTOR.services_by_name["MesherService"].full_name, "GenerateMesh"
        handler = grpc.unary_stream_rpc_method_handler(answer)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, {method: handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()

    async def scenario() -> Any:
        channel = StageChannel(kind, f"127.0.0.1:{port}")
        try:
            return await asyncio.wait_for(work(channel), 60)
        finally:
            await channel.channel.close()

    try:
        return asyncio.run(scenario())
    finally:
        server.stop(0).wait()
        assert metrics.STAGE_DEMAND.labels(kind)._value.get() == 0


def _segment(answer: Answer, explain: bool = False) -> Any:
    options = segmentation_pb2.SegmentationOptions()
    return _call(
        "segmentation", answer, lambda channel: SegmentationStage(channel).segment(PHOTO, options, 20, explain=explain)
    )


def _mesh(answer: Answer) -> list[Any]:
    async def work(channel: StageChannel) -> list[Any]:
        return [event async for event in MesherStage(channel).mesh(JOB, 20)]

    return _call("mesher", answer, work)


def _masks(mask: np.ndarray = MASK, **rest: Any) -> bytes:
    return segmentation_pb2.SegmentResponse(mask=alpha_to_proto(mask), **rest).SerializeToString()


def test_a_mask_comes_as_float_with_a_receipt():
    found = _segment(lambda request, context: _masks())
    assert np.abs(found.alpha - MASK).max() <= 0.5 / 255 + 1e-6
    assert found.raw_alpha is None
    assert found.receipt.outcome == pb.OUTCOME_OK


def test_the_raw_mask_comes_where_it_was_asked_for():
    found = _segment(lambda request, context: _masks(raw_mask=alpha_to_proto(1 - MASK)), explain=True)
    assert found.raw_alpha[0, 0] == 1


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\xff\xff no message", "not the message"),
        (b"", "an unreadable mask"),
        (_masks(np.zeros((5, 5), np.float32)), "5 × 5 px for 30 × 20"),
    ],
    ids=["garbage", "empty", "other size"],
)
def test_an_unreadable_mask_is_the_stages_fault_never_the_callers(data, said):
    with pytest.raises(Internal, match=said):
        _segment(lambda request, context: data)


def test_no_subject_arrives_as_that_and_leaves_the_breaker_closed():
    status = to_status(NoSubject("nothing stands out"), "id-1")

    async def work(channel: StageChannel) -> str:
        stage = SegmentationStage(channel)
        for _ in range(6):
            with pytest.raises(NoSubject, match="nothing stands out"):
                await stage.segment(PHOTO, segmentation_pb2.SegmentationOptions(), 20, explain=False)
        return channel.breaker.state

    assert _call("segmentation", lambda request, context: context.abort_with_status(status), work) == "closed"


def test_a_mesh_comes_after_its_progress():
    def answer(request: Any, context: Any) -> Any:
        progress = mesher_pb2.StageProgress(step="shape", fraction=0.5)
        yield mesher_pb2.MesherServiceGenerateMeshResponse(progress=progress).SerializeToString()
        result = mesher_pb2.MesherResult(mesh=b"glTF", format=mesher_pb2.MESH_FORMAT_GLB)
        yield mesher_pb2.MesherServiceGenerateMeshResponse(result=result).SerializeToString()

    progress, meshed = _mesh(answer)
    assert progress.step == "shape"
    assert isinstance(meshed, Meshed)
    assert meshed.data == b"glTF"


def test_a_mesher_that_goes_while_it_works_is_asked_once_more():
    calls: list[Any] = []

    def answer(request, context):
        calls.append(request)
        progress = mesher_pb2.StageProgress(step="shape", fraction=0.5)
        yield mesher_pb2.MesherServiceGenerateMeshResponse(progress=progress).SerializeToString()
        if len(calls) == 1:
            context.abort(grpc.StatusCode.UNAVAILABLE, "as if killed")
        yield mesher_pb2.MesherServiceGenerateMeshResponse(result=mesher_pb2.MesherResult()).SerializeToString()

    *_, meshed = _mesh(answer)
    assert isinstance(meshed, Meshed)
    assert len(calls) == 2


def test_a_mesher_that_goes_each_time_is_unavailable():
    calls: list[Any] = []

    def answer(request, context):
        calls.append(request)
        yield mesher_pb2.MesherServiceGenerateMeshResponse().SerializeToString()
        context.abort(grpc.StatusCode.UNAVAILABLE, "as if killed")

    with pytest.raises(StageUnavailable):
        _mesh(answer)
    assert len(calls) == 2


def test_a_mesher_that_answers_garbage_is_an_error_of_ours():
    with pytest.raises(Internal, match="not the message"):
        _mesh(lambda request, context: iter([b"\xff\xff no message"]))


@pytest.mark.slow
def test_a_mesher_that_refuses_is_unavailable():
    with pytest.raises(StageUnavailable):
        _mesh(lambda request, context: context.abort(grpc.StatusCode.UNAVAILABLE, "as told"))


def test_where_no_depth_is_configured_it_is_disabled():
    answer = asyncio.run(NoDepthStage().estimate(PHOTO, 1.0))
    assert answer.receipt.outcome == pb.OUTCOME_DISABLED
    assert "--depth-address" in answer.receipt.reason


def test_what_scalers_read_is_zero_before_the_first_call():
    async def scenario() -> None:
        await StageChannel("unwanted", "127.0.0.1:1").channel.close()

    asyncio.run(scenario())
    assert REGISTRY.get_sample_value("unflat_stage_demand", {"stage": "unwanted"}) == 0
    for result in ("STAGE_UNAVAILABLE", "OVERLOADED", "BREAKER_OPEN"):
        calls = {"stage": "unwanted", "result": result}
        assert REGISTRY.get_sample_value("unflat_stage_calls_total", calls) == 0, result


def test_a_model_that_is_missing_there_is_said_and_never_opens_the_breaker():
    asked = []

    def refuse(request: bytes, context: grpc.ServicerContext) -> bytes:
        asked.append(segmentation_pb2.SegmentRequest.FromString(request).options.model)
        context.abort_with_status(to_status(ModelMissing("unflat models pull u2net", field="model"), "r-1"))

    async def work(channel: StageChannel) -> str:
        stage, options = SegmentationStage(channel), segmentation_pb2.SegmentationOptions(model="u2net")
        for _ in range(12):
            with pytest.raises(ModelMissing, match="unflat models pull u2net"):
                await stage.segment(PHOTO, options, 20, explain=False)
        return channel.breaker.state

    assert _call("segmentation", refuse, work) == "closed"
    assert asked == ["u2net"] * 12
