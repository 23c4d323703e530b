"""Depth is an improvement, never a condition: whatever becomes of it, the answer comes."""

from __future__ import annotations

import asyncio
import re

import numpy as np
import pytest

from services.common.errors import DeadlineExceeded, InvalidImage, StageUnavailable
from services.orchestrator.request_options import parse_request_options
from services.orchestrator.stages.stage_receipts import no_depth
from tests.orchestrator.stand_ins import DISC, NEAR, PHOTO, SIDE, alpha_of, archive, stage_of
from unflat.v1 import depth_pb2, mesher_pb2
from unflat.v1 import orchestrator_pb2 as pb


@pytest.mark.parametrize("outcome", ["UNAVAILABLE", "TIMEOUT", "INVALID", "a defect of ours"])
def test_depth_that_fails_costs_nothing_but_depth(bench, outcome):
    without = bench.cut(depth=False)
    if outcome == "a defect of ours":
        bench.depth.problem, outcome = ZeroDivisionError("a defect of ours"), "UNAVAILABLE"
    else:
        bench.depth.answer = no_depth(pb.Outcome.Value(f"OUTCOME_{outcome}"), "so it is")
    made = bench.cut()
    assert pb.Outcome.Name(stage_of(made.receipt, "depth").outcome) == f"OUTCOME_{outcome}"
    assert made.receipt.degraded
    assert [warning for warning in made.receipt.warnings if warning.startswith("made without depth")]
    assert made.image == without.image


def test_a_defect_in_depth_is_said_without_its_text(bench):
    bench.depth.problem = ValueError("password=hunter2")
    reason = stage_of(bench.cut().receipt, "depth").reason
    assert "ValueError" in reason
    assert "hunter2" not in reason


def test_depth_that_hangs_is_left_behind_after_the_callers_wait(bench):
    bench.depth.gate = asyncio.Event()
    made = bench.cut(depth_wait_s=0.0)
    assert stage_of(made.receipt, "depth").outcome == pb.OUTCOME_TIMEOUT
    assert any("longer than segmentation" in warning for warning in made.receipt.warnings)
    assert bench.depth.cancelled == 1
    assert bench.depth.timeouts == 0, "a caller's hurry must not open the breaker for others"


def test_depth_that_hangs_beyond_our_own_wait_counts_against_it(bench, monkeypatch):
    monkeypatch.setattr("services.orchestrator.depth_wait.CUTOUT_WAIT_S", 0.01)
    bench.depth.gate = asyncio.Event()
    bench.cut()
    assert bench.depth.timeouts == 1


@pytest.mark.slow
def test_depth_of_high_quality_is_waited_for_beyond_our_own_wait(bench, monkeypatch):
    monkeypatch.setattr("services.orchestrator.depth_wait.CUTOUT_WAIT_S", 0.01)
    bench.depth.gate = asyncio.Event()
    bench.budget_s = 2.0
    made = bench.cut(estimate=depth_pb2.DepthOptions(depth_quality="DEPTH_QUALITY_HIGH"))
    reason = stage_of(made.receipt, "depth").reason
    waited = re.search(r"more than ([0-9.]+) s", reason)
    assert waited, reason
    assert float(waited[1]) > 0.5, "half of what is left, not the hundredth of a second of a standard map"
    assert bench.depth.asked == [depth_pb2.DepthOptions(depth_quality=depth_pb2.DEPTH_QUALITY_HIGH)]
    assert bench.depth.timeouts == 0, "what one caller asks beyond the usual must not open the breaker for others"


@pytest.mark.slow
def test_however_long_the_caller_waits_depth_never_takes_all_the_time_that_is_left(bench):
    bench.depth.gate = asyncio.Event()
    bench.budget_s = 2.0
    made = bench.cut(depth_wait_s=600.0)
    assert stage_of(made.receipt, "depth").outcome == pb.OUTCOME_TIMEOUT
    assert np.mean((alpha_of(made.image) > 127) == DISC) > 0.995


@pytest.mark.parametrize("least", [0.1, 0.2])
def test_a_mesh_waits_for_depth_as_long_as_it_usually_takes_and_no_less_than_a_cutout(bench, monkeypatch, least):
    monkeypatch.setattr("services.orchestrator.depth_wait.CUTOUT_WAIT_S", least)

    async def scenario() -> pb.MeshResult:
        line, options = bench.pipeline(), parse_request_options(pb.MaskOptions(), pb.CutoutOptions())
        for _ in range(3):  # depth answers at once: that is what is usual from now on
            await line.generate_mesh(pb.Photo(file=PHOTO), options, mesher_pb2.MeshOptions(), bench.run(), debug=False)
            bench.mesher.jobs.clear()
        bench.depth.gate = asyncio.Event()
        return await line.generate_mesh(
            pb.Photo(file=PHOTO), options, mesher_pb2.MeshOptions(), bench.run(), debug=False
        )

    made = asyncio.run(scenario())
    assert stage_of(made.receipt, "depth").outcome == pb.OUTCOME_TIMEOUT
    assert f"more than {least:.1f} s" in stage_of(made.receipt, "depth").reason


def test_depth_that_nobody_asked_for_is_not_called(bench):
    made = bench.cut(depth=False)
    assert stage_of(made.receipt, "depth").outcome == pb.OUTCOME_DISABLED
    assert not made.receipt.degraded
    assert not bench.depth.entered


def test_supplied_depth_replaces_the_stage(bench):
    made = bench.cut(depth_map=archive(NEAR))
    assert stage_of(made.receipt, "depth").outcome == pb.OUTCOME_SUPPLIED
    assert not bench.depth.entered


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.where(DISC, np.nan, NEAR), "not finite"),
        (np.full((SIDE, SIDE), 3.0, np.float32), "every depth value is the same"),
    ],
    ids=["NaN", "constant"],
)
def test_supplied_depth_without_sense_is_left_out_and_said(bench, values, said):
    made = bench.cut(depth_map=archive(values))
    assert stage_of(made.receipt, "depth").outcome == pb.OUTCOME_INVALID
    assert any(said in warning for warning in made.receipt.warnings)


def test_a_supplied_depth_that_is_no_depth_is_the_callers_error(bench):
    with pytest.raises(InvalidImage):
        bench.cut(depth_map=b"junk")


@pytest.mark.parametrize(
    ("outcome", "error"), [("UNAVAILABLE", StageUnavailable), ("TIMEOUT", DeadlineExceeded), ("OK", None)]
)
def test_asked_for_depth_alone_its_absence_is_an_error_of_its_kind(bench, outcome, error):
    if error is None:
        assert np.array_equal(bench.depth_alone().depth, NEAR)
        return
    bench.depth.answer = lambda: no_depth(pb.Outcome.Value(f"OUTCOME_{outcome}"), "so it is")
    with pytest.raises(error, match="no depth: so it is"):
        bench.depth_alone()
