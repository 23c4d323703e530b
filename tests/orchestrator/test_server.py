"""The orchestrator's glue: progress then one result, deadlines, and callers who leave."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
import numpy as np
import pytest

from services.common.errors import NoSubject, Overloaded
from services.common.rpc_errors import from_rpc_error
from services.common.serving.admission import AioAdmission
from services.common.serving.interceptors import AioErrorInterceptor
from services.common.serving.priority import PRIORITY_KEY, priority_metadata
from services.common.telemetry.logs import REQUEST_ID_KEY
from services.orchestrator.run import Run
from services.orchestrator.server import OrchestratorServicer, _open_matting
from services.orchestrator.stages.stage_channel import StageChannel
from services.orchestrator.stages.stage_protocols import DepthAnswer
from services.orchestrator.stages.stage_receipts import stage_receipt
from tests.waiting import until_async
from unflat.v1 import orchestrator_pb2 as pb
from unflat.v1 import orchestrator_pb2_grpc as pb_grpc


class _Pipeline:
    """Answers at once, or waits until it is cancelled."""

    def __init__(self) -> None:
        self.problem: Exception | None = None
        self.hangs = False
        self.begun, self.cancelled = asyncio.Event(), asyncio.Event()
        self.runs: list[Run] = []
        self.priorities: list[str] = []
        self.admission: AioAdmission | None = None

    async def _work(self, run: Run) -> None:
        self.runs.append(run)
        self.priorities.append(dict(priority_metadata())[PRIORITY_KEY])
        run.progress("orchestrator", "decode", 0.1)
        self.begun.set()
        if self.problem is not None:
            raise self.problem
        if self.hangs:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled.set()
                raise

    async def remove_background(self, photo: Any, options: Any, encode: Any, run: Run, **rest: Any) -> pb.CutoutResult:
        await self._work(run)
        return pb.CutoutResult(image=b"picture", receipt=run.close())

    async def estimate_depth(self, file: bytes, run: Run, options: Any) -> DepthAnswer:
        await self._work(run)
        return DepthAnswer(np.ones((3, 4), np.float32), stage_receipt("depth", pb.OUTCOME_OK))


def _serve(
    work: Callable[[_Pipeline, pb_grpc.OrchestratorServiceAsyncStub], Awaitable[Any]],
    concurrency: int = 4,
    queue: int = 0,
) -> Any:
    async def scenario() -> Any:
        pipeline = _Pipeline()
        stage = StageChannel("depth", "127.0.0.1:1")
        admission = pipeline.admission = AioAdmission("orchestrator", concurrency, queue)
        server = grpc.aio.server(interceptors=[AioErrorInterceptor()])
        servicer = OrchestratorServicer(pipeline, [stage], admission, budget_s=60.0)
        pb_grpc.add_OrchestratorServiceServicer_to_server(servicer, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                return await asyncio.wait_for(work(pipeline, pb_grpc.OrchestratorServiceStub(channel)), 60)
        finally:
            await server.stop(0)
            await stage.channel.close()

    return asyncio.run(scenario())


def test_progress_comes_before_one_result_and_the_request_id_goes_along():
    async def work(pipeline, stub):
        metadata = ((REQUEST_ID_KEY, "my-id"),)
        return [event async for event in stub.RemoveBackground(pb.RemoveBackgroundRequest(), metadata=metadata)]

    progress, result = _serve(work)
    assert progress.progress.step == "decode"
    assert result.result.image == b"picture"
    assert result.result.receipt.request_id == "my-id"


def test_an_error_of_the_pipeline_ends_the_stream_as_its_class():
    async def work(pipeline, stub):
        pipeline.problem = NoSubject("nothing stands out")
        with pytest.raises(grpc.RpcError) as caught:
            async for _ in stub.RemoveBackground(pb.RemoveBackgroundRequest()):
                pass
        return from_rpc_error(caught.value, "orchestrator")

    problem = _serve(work)
    assert isinstance(problem, NoSubject)
    assert problem.message == "nothing stands out"


def test_a_wrong_option_is_refused_before_the_pipeline_begins():
    async def work(pipeline, stub):
        request = pb.RemoveBackgroundRequest(mask=pb.MaskOptions(depth_percentile=99))
        with pytest.raises(grpc.RpcError) as caught:
            async for _ in stub.RemoveBackground(request):
                pass
        return from_rpc_error(caught.value, "orchestrator"), pipeline.runs

    problem, runs = _serve(work)
    assert problem.field == "depth_percentile"
    assert not runs


@pytest.mark.parametrize(("timeout", "most"), [(None, 60.0), (5.0, 5.0), (3600.0, 60.0)])
def test_the_budget_is_the_callers_deadline_at_most_our_own(timeout, most):
    async def work(pipeline, stub):
        async for _ in stub.RemoveBackground(pb.RemoveBackgroundRequest(), timeout=timeout):
            pass
        (run,) = pipeline.runs
        return run.left_s + run.elapsed_s

    assert most - 3 < _serve(work) <= most


def test_a_caller_that_leaves_cancels_the_work_and_frees_its_place():
    async def work(pipeline, stub):
        pipeline.hangs = True
        call = stub.RemoveBackground(pb.RemoveBackgroundRequest())
        await call.read()
        call.cancel()
        await pipeline.cancelled.wait()
        pipeline.hangs = False
        while True:  # the place is free as soon as the cancelled call has gone
            try:
                return [event async for event in stub.RemoveBackground(pb.RemoveBackgroundRequest())][-1]
            except grpc.RpcError:
                await asyncio.sleep(0.01)

    assert _serve(work, concurrency=1).result.image == b"picture"


def test_beyond_its_places_a_request_is_refused_with_a_hint():
    async def work(pipeline, stub):
        pipeline.hangs = True
        first = stub.RemoveBackground(pb.RemoveBackgroundRequest())
        await first.read()
        with pytest.raises(grpc.RpcError) as caught:
            await stub.GetDepth(pb.GetDepthRequest())
        first.cancel()
        return from_rpc_error(caught.value, "orchestrator")

    problem = _serve(work, concurrency=1)
    assert isinstance(problem, Overloaded)
    assert problem.retry_after_s > 0


@pytest.mark.slow
def test_status_says_of_a_stage_that_is_gone_that_it_is_unreachable():
    answer = _serve(lambda pipeline, stub: stub.GetStatus(pb.GetStatusRequest()))
    (stage,) = answer.stages
    assert (stage.stage, stage.serving, stage.breaker) == ("depth", pb.SERVING_UNREACHABLE, "closed")
    assert stage.reason


def test_interactive_requests_pass_batch_requests_that_came_before():
    async def work(pipeline, stub):
        pipeline.hangs = True
        first = stub.RemoveBackground(pb.RemoveBackgroundRequest())
        await first.read()

        async def ask(priority):
            metadata = ((PRIORITY_KEY, priority), (REQUEST_ID_KEY, priority))
            return [event async for event in stub.RemoveBackground(pb.RemoveBackgroundRequest(), metadata=metadata)]

        waiting = [asyncio.create_task(ask("batch"))]
        await until_async(lambda: pipeline.admission.waiting == 1)
        waiting.append(asyncio.create_task(ask("interactive")))
        await until_async(lambda: pipeline.admission.waiting == 2)
        pipeline.hangs = False
        first.cancel()
        await asyncio.gather(*waiting)
        return [run.receipt.request_id for run in pipeline.runs[1:]]

    assert _serve(work, concurrency=1, queue=4) == ["interactive", "batch"]


def test_a_stage_hears_of_the_callers_priority():
    async def work(pipeline, stub):
        async for _ in stub.RemoveBackground(pb.RemoveBackgroundRequest(), metadata=((PRIORITY_KEY, "batch"),)):
            pass
        return pipeline.priorities

    assert _serve(work) == ["batch"]


@pytest.mark.parametrize(
    ("name", "said"), [("onnx:/gone/vitmatte.onnx", "no matting network at /gone"), ("vitmatte", "wanted onnx:/path")]
)
def test_a_matting_network_that_is_not_here_ends_the_start_with_a_sentence(capsys, name, said):
    with pytest.raises(SystemExit):
        _open_matting(name)
    assert said in capsys.readouterr().err
    assert _open_matting("closed-form") is None
