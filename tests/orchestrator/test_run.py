"""One request's budget, progress and receipt."""

from __future__ import annotations

import pytest

from services.common.errors import DeadlineExceeded
from services.orchestrator.run import Run
from unflat.v1 import orchestrator_pb2 as pb


def _run(budget_s: float = 60.0) -> tuple[Run, list[pb.Progress]]:
    told: list[pb.Progress] = []
    return Run("id-1", budget_s, told.append), told


def test_a_hop_gets_less_time_than_the_caller_gave():
    run, _ = _run(60.0)
    assert 59.0 < run.remaining_s() < 60.0


def test_a_spent_budget_ends_the_next_step_before_it_begins():
    run, told = _run(0.0)
    with pytest.raises(DeadlineExceeded, match="ran out of its time"), run.step("cutout", 0.5):
        pytest.fail("must not begin")
    assert not told
    assert run.left_s < 0


def test_a_step_that_fails_is_timed_all_the_same():
    run, told = _run()
    with pytest.raises(ZeroDivisionError), run.step("fuse", 0.35):
        raise ZeroDivisionError
    assert [step.step for step in run.receipt.steps] == ["fuse"]
    assert [(p.stage, p.step) for p in told] == [("orchestrator", "fuse")]
    assert told[0].fraction == pytest.approx(0.35)


@pytest.mark.parametrize("outcome", ["UNAVAILABLE", "TIMEOUT", "INVALID"])
def test_a_lost_stage_degrades_the_answer_and_is_said_once(outcome):
    run, _ = _run()
    stage = pb.StageReceipt(stage="depth", outcome=f"OUTCOME_{outcome}", reason="it burnt")
    run.record(stage)
    run.record(stage)
    assert run.receipt.degraded
    assert list(run.receipt.warnings) == ["made without depth: it burnt"]


@pytest.mark.parametrize("outcome", ["OK", "DISABLED", "SUPPLIED"])
def test_what_was_wanted_that_way_is_no_degradation(outcome):
    run, _ = _run()
    run.record(pb.StageReceipt(stage="depth", outcome=f"OUTCOME_{outcome}"))
    assert not run.receipt.degraded
    assert not run.receipt.warnings


def test_the_receipt_is_closed_with_id_version_and_total():
    run, _ = _run()
    receipt = run.close()
    assert receipt.request_id == "id-1"
    assert receipt.version
    assert receipt.total_s >= 0
