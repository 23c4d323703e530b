"""What the metrics are counted by: few values, zeros where a rate begins, and what each event adds."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from prometheus_client import REGISTRY, Counter, Gauge, Histogram

from services.common.errors import Overloaded, StageUnavailable
from services.common.serving.admission import Admission
from services.common.serving.model_holder import ModelHolder
from services.common.telemetry import metrics
from services.orchestrator.run import Run
from services.orchestrator.stages.stage_channel import StageChannel
from services.orchestrator.stages.stage_receipts import stage_receipt
from unflat.v1 import orchestrator_pb2 as pb

PAGE = Path(__file__).resolve().parents[3] / "docs" / "metrics.md"


def _value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


@pytest.fixture
def added() -> Callable[..., float]:
    """Return what a sample has gained since the test asked for it first."""
    before: dict[Any, float] = {}

    def gain(name: str, **labels: str) -> float:
        now = _value(name, **labels) or 0.0
        return now - before.setdefault((name, *labels.items()), now)

    return gain


def test_every_label_is_explained_on_the_page():
    rows = re.findall(r"^\| ([a-z, ]+) \|", PAGE.read_text(encoding="utf-8").split("## Labels")[1], re.M)
    explained = {label for row in rows for label in row.split(", ")} - {"label"}
    used = {
        label
        for metric in vars(metrics).values()
        if isinstance(metric, Counter | Gauge | Histogram)
        for label in metric._labelnames
    }
    assert explained == used


def test_nothing_is_counted_by_request():
    assert not re.search(r'\["?.*(request_id|trace_id|file|path)', Path(metrics.__file__).read_text(encoding="utf-8"))


def test_a_stage_that_nobody_has_asked_yet_counts_zero():
    metrics.expect_calls("unasked")
    for result in ("OK", *metrics.MISSED):
        assert _value("unflat_stage_calls_total", stage="unasked", result=result) == 0
    assert _value("unflat_stage_demand", stage="unasked") == 0
    assert _value("unflat_breaker_open", stage="unasked") == 0


def test_a_gate_shows_its_limits_and_zero_refusals():
    Admission("narrow", 3, 7)
    assert _value("unflat_concurrency_limit", stage="narrow") == 3
    assert _value("unflat_queue_limit", stage="narrow") == 7
    assert _value("unflat_shed_total", stage="narrow") == 0


def test_a_refusal_is_counted():
    gate = Admission("full", 1, 0)
    with gate.admit(lambda: None), pytest.raises(Overloaded), gate.admit(lambda: None):
        pass
    assert _value("unflat_shed_total", stage="full") == 1
    assert _value("unflat_admitted_total", stage="full") == 1


async def _nobody(calls: int) -> StageChannel:
    """Call a stage that nobody runs, so many times."""
    channel = StageChannel("nobody", "127.0.0.1:1")
    for _ in range(calls):
        with pytest.raises(StageUnavailable), channel.watched(5.0):
            raise grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata())
    await channel.channel.close()
    return channel


def test_calls_that_found_nobody_are_told_from_those_not_tried(added):
    for result in ("STAGE_UNAVAILABLE", "BREAKER_OPEN"):
        added("unflat_stage_calls_total", stage="nobody", result=result)
    asyncio.run(_nobody(7))  # five open the breaker
    assert added("unflat_stage_calls_total", stage="nobody", result="STAGE_UNAVAILABLE") == 5
    assert added("unflat_stage_calls_total", stage="nobody", result="BREAKER_OPEN") == 2
    assert _value("unflat_breaker_open", stage="nobody") == 1
    assert _value("unflat_stage_demand", stage="nobody") == 0


@pytest.mark.parametrize(
    ("outcome", "degraded"),
    [(pb.OUTCOME_OK, False), (pb.OUTCOME_DISABLED, False), (pb.OUTCOME_TIMEOUT, True), (pb.OUTCOME_INVALID, True)],
)
def test_an_answer_is_counted_with_what_it_is_made_without(added, outcome, degraded):
    reason = pb.Outcome.Name(outcome).removeprefix("OUTCOME_")
    answers = {"degraded": "yes" if degraded else "no"}
    added("unflat_answers_total", **answers)
    added("unflat_degraded_total", stage="depth", reason=reason)
    run = Run("id", 10.0, lambda _: None)
    run.record(stage_receipt("depth", outcome))
    run.close()
    assert added("unflat_answers_total", **answers) == 1
    assert added("unflat_degraded_total", stage="depth", reason=reason) == degraded


def test_a_step_is_timed(added):
    added("unflat_step_seconds_count", step="tested")
    with Run("id", 10.0, lambda _: None).step("tested", 0.5):
        pass
    assert added("unflat_step_seconds_count", step="tested") == 1


class _Backend:
    name, device, dtype, licence, notes = "net", "cpu", "float32", "MIT", ()
    digest = "0123456789abcdef" * 4


def test_what_is_loaded_is_told_with_a_short_digest():
    ModelHolder("loaded", _Backend).start(lambda _: None).join()
    what = {"backend": "net", "device": "cpu", "dtype": "float32", "licence": "MIT"}
    assert _value("unflat_model_info", stage="loaded", digest="0123456789ab", **what) == 1
    assert (_value("unflat_model_load_seconds", stage="loaded") or 0) > 0
