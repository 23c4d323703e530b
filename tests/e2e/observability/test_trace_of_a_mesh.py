"""One trace from the caller through the gateway and the orchestrator to every stage, across real processes."""

from __future__ import annotations

from typing import Any

import pytest
from websockets.sync.client import connect

pytestmark = pytest.mark.e2e
STAGES = ("segmentation", "depth", "mesher")
CALLS = {
    "gateway": "POST /generate-mesh",
    "orchestrator": "unflat.v1.OrchestratorService/GenerateMesh",
    "segmentation": "unflat.v1.SegmentationService/Segment",
    "depth": "unflat.v1.DepthService/EstimateDepth",
    "mesher": "unflat.v1.MesherService/GenerateMesh",
}


@pytest.fixture(scope="module")
def spans(asked: Any, collector: Any, caller: tuple[str, str]) -> dict[tuple[str, str], Any]:
    """The spans of the mesh by service and name, once every service has sent its own."""

    def complete(found: list[Any]) -> bool:
        return {(s.service, s.name) for s in found if s.trace_id == caller[0]} >= set(CALLS.items())

    return {(s.service, s.name): s for s in collector.wait_for(complete) if s.trace_id == caller[0]}


def test_every_service_takes_part_in_the_callers_trace(spans):
    assert {service for service, _ in spans} == set(CALLS)


def test_the_gateway_hangs_on_its_caller(spans, caller):
    assert spans["gateway", CALLS["gateway"]].parent_id == caller[1]


def test_the_orchestrator_hangs_on_the_gateway(spans):
    assert spans["orchestrator", CALLS["orchestrator"]].parent_id == spans["gateway", CALLS["gateway"]].span_id


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_hangs_on_the_orchestrators_call_of_it(spans, stage):
    call = spans["orchestrator", f"call {stage}"]
    assert spans[stage, CALLS[stage]].parent_id == call.span_id
    assert call.parent_id == spans["orchestrator", CALLS["orchestrator"]].span_id


@pytest.mark.parametrize("stage", STAGES)
def test_phases_hang_on_their_stage(spans, stage):
    for phase in ("queue", "preprocess", "compute", "postprocess"):
        assert spans[stage, phase].parent_id == spans[stage, CALLS[stage]].span_id


def test_steps_hang_on_the_orchestrators_request(spans):
    for step in ("decode", "fuse", "cutout", "frame"):
        assert spans["orchestrator", step].parent_id == spans["orchestrator", CALLS["orchestrator"]].span_id


def test_spans_say_what_ran_and_how_it_ended(spans):
    facts = spans["mesher", CALLS["mesher"]].facts
    assert (facts["backend"], facts["outcome"], facts["code"]) == ("inflate", "OK", "OK")


def test_one_request_id_goes_with_the_trace(spans):
    assert len({spans[call].facts["request_id"] for call in CALLS.items()}) == 1


def test_a_job_over_a_socket_hangs_on_its_caller(asked, collector, photo):
    trace_id, caller_id = "1" * 32, "2" * 16
    url = f"ws://127.0.0.1:{asked.processes['gateway'].port}/ws/generate-mesh"
    headers = {"traceparent": f"00-{trace_id}-{caller_id}-01"}
    with connect(url, additional_headers=headers, max_size=None) as socket:
        socket.send("{}")
        socket.send(photo)
        while isinstance(socket.recv(timeout=120), str):
            pass  # how far it is; then the mesh

    def complete(found: list[Any]) -> bool:
        return {s.name for s in found if s.trace_id == trace_id} >= {"WS /ws/generate-mesh", CALLS["orchestrator"]}

    mine = {s.name: s for s in collector.wait_for(complete) if s.trace_id == trace_id}
    assert mine["WS /ws/generate-mesh"].parent_id == caller_id
    assert mine[CALLS["orchestrator"]].parent_id == mine["WS /ws/generate-mesh"].span_id
