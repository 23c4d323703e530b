"""Whatever a depth service does, the pipeline hears an outcome, in time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import numpy as np
import pytest

from services.common.errors import Overloaded
from services.common.rpc_errors import to_status
from services.common.telemetry import metrics
from services.orchestrator.stages.depth_stage import DepthStage
from services.orchestrator.stages.stage_channel import StageChannel
from services.orchestrator.stages.stage_protocols import DepthAnswer
from tests.fault.proxy import FaultProxy
from tests.waiting import until_async
from unflat.v1 import depth_pb2
from unflat.v1 import orchestrator_pb2 as pb

pytestmark = pytest.mark.fault
PHOTO = np.full((24, 40, 3), 128, np.uint8)
SHORT_S, LONG_S = 0.4, 20.0


def _with_stage(where: int | str, work: Callable[[DepthStage], Awaitable[Any]]) -> Any:
    """Run `work` with a stage at a port of loopback, or at an address."""

    async def scenario() -> Any:
        stage = DepthStage(StageChannel("depth", f"127.0.0.1:{where}" if isinstance(where, int) else where))
        try:
            return await asyncio.wait_for(work(stage), 60)
        finally:
            await stage.channel.channel.close()

    try:
        return asyncio.run(scenario())
    finally:
        assert metrics.STAGE_DEMAND.labels("depth")._value.get() == 0


def _ask(port: int, timeout_s: float = LONG_S) -> DepthAnswer:
    return _with_stage(port, lambda stage: stage.estimate(PHOTO, timeout_s))


def _outcome(answer: DepthAnswer) -> str:
    return pb.Outcome.Name(answer.receipt.outcome).removeprefix("OUTCOME_")


def _abort(code: grpc.StatusCode) -> Callable[[Any, Any], bytes]:
    def behave(request: Any, context: Any) -> bytes:
        context.abort(code, "as told")

    return behave


def _raise(problem: Exception) -> Callable[[Any, Any], bytes]:
    def behave(request: Any, context: Any) -> bytes:
        raise problem

    return behave


def test_a_good_answer_is_ok_with_times(server):
    answer = _ask(server.port)
    assert _outcome(answer) == "OK"
    assert answer.depth.shape == PHOTO.shape[:2]
    assert answer.receipt.report.backend == "test"
    assert 0 < answer.receipt.transport_s <= answer.receipt.total_s


@pytest.mark.parametrize("code", ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "INTERNAL", "UNKNOWN", "CANCELLED", "ABORTED"])
def test_a_status_of_failure_is_unavailable(server, code):
    server.behaviour = _abort(grpc.StatusCode[code])
    answer = _ask(server.port)
    assert _outcome(answer) == "UNAVAILABLE"
    assert answer.receipt.reason


def test_only_unavailable_is_tried_again(server):
    server.behaviour = _abort(grpc.StatusCode.UNAVAILABLE)
    _ask(server.port)
    assert server.calls == 5
    server.behaviour = _abort(grpc.StatusCode.RESOURCE_EXHAUSTED)
    _ask(server.port)
    assert server.calls == 6, "shedding load must not make more of it"


def test_a_defect_over_there_is_unavailable_without_its_text(server):
    server.behaviour = _raise(ValueError("password=hunter2"))
    answer = _ask(server.port)
    assert _outcome(answer) == "UNAVAILABLE"
    assert "hunter2" not in answer.receipt.reason


def test_a_full_queue_is_named_as_that(server):
    status = to_status(Overloaded("depth has 1 calls running and 16 waiting", retry_after_s=1), "id-1")
    server.behaviour = lambda request, context: context.abort_with_status(status)
    answer = _ask(server.port)
    assert _outcome(answer) == "UNAVAILABLE"
    assert answer.receipt.reason.startswith("depth is overloaded")


def _lying_size(request: Any, context: Any) -> bytes:
    message = depth_pb2.EstimateDepthResponse()
    message.depth.width, message.depth.height, message.depth.values = 40, 24, b"\0" * 100
    return message.SerializeToString()


@pytest.mark.parametrize(
    ("answered", "said"),
    [
        (lambda encode: b"\xff\xff\xff\xff no message", "not the message"),
        (lambda encode: b"", "carries 0 bytes"),
        (lambda encode: _lying_size(None, None), "carries 100 bytes"),
        (lambda encode: encode(np.ones((10, 10), np.float32)), "10 × 10 px, the photo 40 × 24"),
        (lambda encode: encode(np.full((24, 40), np.nan, np.float32)), "100% of the depth values are not finite"),
        (lambda encode: encode(np.full((24, 40), 7.0, np.float32)), "every depth value is the same"),
    ],
    ids=["garbage", "empty", "lying size", "other size", "NaN", "constant"],
)
def test_an_answer_that_makes_no_sense_is_invalid(server, answered, said):
    server.behaviour = lambda request, context: answered(server.encode)
    answer = _ask(server.port)
    assert _outcome(answer) == "INVALID"
    assert said in answer.receipt.reason
    assert answer.depth is None


def test_an_answer_beyond_the_message_limit_is_unavailable(server, monkeypatch):
    limit = [("grpc.max_receive_message_length", 1000)]
    monkeypatch.setattr("services.common.calling.channels.client_options", lambda: limit)
    assert _outcome(_ask(server.port)) == "UNAVAILABLE"


def test_an_answer_that_does_not_come_is_a_timeout(server):
    server.behaviour = server.hang
    assert _outcome(_ask(server.port, SHORT_S)) == "TIMEOUT"


def test_a_service_that_dies_during_the_call_is_unavailable(server):
    server.behaviour = server.die
    assert _outcome(_ask(server.port)) == "UNAVAILABLE"


def test_nobody_listening_is_unavailable():
    answer = _ask(1)
    assert _outcome(answer) == "UNAVAILABLE"


def test_a_name_that_nobody_knows_is_unavailable():
    async def work(stage: DepthStage) -> DepthAnswer:
        return await stage.estimate(PHOTO, LONG_S)

    assert _outcome(_with_stage("dns:///depth.invalid:50052", work)) == "UNAVAILABLE"


def test_a_stage_that_asks_to_be_spared_is_not_tried_again(server):
    def push_back(request: Any, context: Any) -> bytes:
        context.set_trailing_metadata((("grpc-retry-pushback-ms", "-1"),))
        context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        return b""

    server.behaviour = push_back
    assert _outcome(_ask(server.port)) == "UNAVAILABLE"
    assert server.calls == 1


def test_a_large_photo_is_tried_again_as_well(server):
    """By default gRPC silently tries nothing again that is larger than 256 KiB."""

    def once(request: Any, context: Any) -> bytes:
        if server.calls == 1:
            context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
        return server.good(request, context)

    server.behaviour = once
    large = np.full((700, 700, 3), 128, np.uint8)
    answer = _with_stage(server.port, lambda stage: stage.estimate(large, LONG_S))
    assert _outcome(answer) == "OK"
    assert server.calls == 2


def test_a_deadline_that_is_too_short_for_anything_is_a_timeout(server):
    server.behaviour = server.hang  # a quick answer now and then comes before gRPC's clock has looked
    assert _outcome(_ask(server.port, 1e-4)) == "TIMEOUT"


# ── the breaker before it ───────────────────────────────────────────────────────────────────────────────────────────


def test_after_failures_in_a_row_it_is_left_alone_and_the_reason_stays(server):
    server.behaviour = _abort(grpc.StatusCode.INTERNAL)

    async def work(stage: DepthStage) -> DepthAnswer:
        for _ in range(5):
            await stage.estimate(PHOTO, LONG_S)
        assert stage.channel.breaker.state == "open"
        return await stage.estimate(PHOTO, LONG_S)

    answer = _with_stage(server.port, work)
    assert _outcome(answer) == "UNAVAILABLE"
    assert "left alone" in answer.receipt.reason
    assert "INTERNAL" in answer.receipt.reason, "why it failed must not be lost"
    assert server.calls == 5


@pytest.mark.parametrize("how", ["busy", "hurried caller"])
def test_a_busy_stage_and_a_hurried_caller_do_not_open_it(server, how):
    server.behaviour = _abort(grpc.StatusCode.RESOURCE_EXHAUSTED) if how == "busy" else server.hang

    async def work(stage: DepthStage) -> str:
        await asyncio.gather(*(stage.estimate(PHOTO, LONG_S if how == "busy" else 0.1) for _ in range(6)))
        return stage.channel.breaker.state

    assert _with_stage(server.port, work) == "closed"


@pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "CANCELLED"])
def test_what_the_caller_did_does_not_open_it_whoever_says_so(server, code):
    server.behaviour = _abort(grpc.StatusCode[code])

    async def work(stage: DepthStage) -> str:
        for _ in range(6):
            await stage.estimate(PHOTO, LONG_S)
        return stage.channel.breaker.state

    assert _with_stage(server.port, work) == "closed"


def test_a_stage_that_keeps_failing_is_not_asked_several_times_a_call_for_ever(server):
    """The channel's retry budget: each failure takes a token, and below half of them nothing is tried again."""
    server.behaviour = _abort(grpc.StatusCode.UNAVAILABLE)

    async def work(stage: DepthStage) -> tuple[int, int]:
        await asyncio.gather(*(stage.estimate(PHOTO, LONG_S) for _ in range(15)))
        spent = server.calls
        stage.channel.breaker.record_success()  # another guard, not to be seen here
        await asyncio.gather(*(stage.estimate(PHOTO, LONG_S) for _ in range(4)))
        return spent, server.calls - spent

    spent, afterwards = _with_stage(server.port, work)
    assert spent > 15, "while there is a budget a call is tried again"
    assert afterwards == 4


def test_a_stage_that_times_out_again_and_again_is_left_alone(server):
    async def work(stage: DepthStage) -> str:
        for _ in range(5):
            stage.record_timeout()
        return stage.channel.breaker.state

    assert _with_stage(server.port, work) == "open"
    assert server.calls == 0


def test_a_cancelled_call_reaches_the_service_and_counts_as_nothing(server):
    left = []

    def watch(request: Any, context: Any) -> bytes:
        context.add_callback(lambda: (left.append(True), server.release.set()))
        return server.hang(request, context)

    server.behaviour = watch

    async def work(stage: DepthStage) -> str:
        task = asyncio.create_task(stage.estimate(PHOTO, LONG_S))
        await until_async(lambda: server.calls)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return stage.channel.breaker.state

    assert _with_stage(server.port, work) == "closed"
    assert server.release.wait(20)
    assert left


# ── the network between ─────────────────────────────────────────────────────────────────────────────────────────────


def _through_proxy(port: int, work: Callable[[FaultProxy, DepthStage], Awaitable[Any]]) -> Any:
    async def scenario() -> Any:
        async with FaultProxy(port) as proxy:
            stage = DepthStage(StageChannel("depth", f"127.0.0.1:{proxy.port}"))
            try:
                return await asyncio.wait_for(work(proxy, stage), 60)
            finally:
                await stage.channel.channel.close()

    return asyncio.run(scenario())


def test_a_late_network_is_counted_as_transport(server):
    async def work(proxy: FaultProxy, stage: DepthStage) -> DepthAnswer:
        proxy.latency_s = 0.02
        return await stage.estimate(PHOTO, LONG_S)

    answer = _through_proxy(server.port, work)
    assert _outcome(answer) == "OK"
    assert answer.receipt.transport_s >= 0.04


def test_a_black_hole_ends_with_the_time_that_was_given(server):
    async def work(proxy: FaultProxy, stage: DepthStage) -> DepthAnswer:
        await stage.estimate(PHOTO, LONG_S)  # connected: from here on nothing comes back
        proxy.mode = "black hole"
        return await stage.estimate(PHOTO, SHORT_S)

    answer = _through_proxy(server.port, work)
    assert _outcome(answer) == "TIMEOUT"
    assert answer.receipt.total_s < LONG_S / 2


def test_a_black_hole_from_the_start_ends_with_the_time_that_was_given(server):
    async def work(proxy: FaultProxy, stage: DepthStage) -> DepthAnswer:
        proxy.mode = "black hole"
        return await stage.estimate(PHOTO, SHORT_S)

    answer = _through_proxy(server.port, work)
    assert _outcome(answer) in ("TIMEOUT", "UNAVAILABLE")
    assert answer.receipt.total_s < LONG_S / 2


def test_torn_connections_are_unavailable_and_it_recovers_by_itself(server):
    async def work(proxy: FaultProxy, stage: DepthStage) -> list[str]:
        proxy.mode = "reset"
        torn = await stage.estimate(PHOTO, LONG_S)
        proxy.mode = "pass"
        while (again := await stage.estimate(PHOTO, LONG_S)).depth is None:
            await asyncio.sleep(0.1)  # reconnecting has a pause of its own
        return [_outcome(torn), _outcome(again)]

    assert _through_proxy(server.port, work) == ["UNAVAILABLE", "OK"]
