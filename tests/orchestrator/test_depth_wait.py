"""How long an answer waits for depth."""

from __future__ import annotations

import pytest

from services.orchestrator.depth_wait import CUTOUT_WAIT_S, MAX_SHARE, MESH_SHARE, DepthWait
from services.orchestrator.stages.stage_protocols import STANDARD
from unflat.v1 import depth_pb2
from unflat.v1 import orchestrator_pb2 as pb

HIGH = depth_pb2.DepthOptions(depth_quality=depth_pb2.DEPTH_QUALITY_HIGH)
LEFT_S = 60.0


def _observed(*seconds: float) -> DepthWait:
    wait = DepthWait()
    for total_s in seconds:
        wait.observe(pb.StageReceipt(outcome=pb.OUTCOME_OK, total_s=total_s), STANDARD)
    return wait


def test_a_cutout_waits_a_fixed_time_whatever_depth_usually_takes():
    assert _observed(30.0).budget("cutout", None, STANDARD, LEFT_S).seconds == CUTOUT_WAIT_S


def test_a_mesh_waits_a_share_of_what_is_left_until_depth_was_observed():
    assert DepthWait().budget("mesh", None, STANDARD, LEFT_S).seconds == MESH_SHARE * LEFT_S


@pytest.mark.parametrize(
    ("usual_s", "wanted_s"), [(0.1, CUTOUT_WAIT_S), (4.0, 8.0), (40.0, MESH_SHARE * LEFT_S)], ids=["fast", "", "slow"]
)
def test_a_mesh_waits_twice_what_depth_usually_takes_within_bounds(usual_s, wanted_s):
    assert _observed(*[usual_s] * 5).budget("mesh", None, STANDARD, LEFT_S).seconds == pytest.approx(wanted_s)


@pytest.mark.parametrize("product", ["cutout", "mesh"])
def test_who_asks_is_given_what_the_deadline_allows_and_says_nothing_about_the_stage(product):
    for asked_s, quality, wanted_s in [
        (0.5, STANDARD, 0.5),
        (600.0, STANDARD, MAX_SHARE * LEFT_S),
        (None, HIGH, MAX_SHARE * LEFT_S),
    ]:
        budget = DepthWait().budget(product, asked_s, quality, LEFT_S)
        assert (budget.seconds, budget.is_usual) == (wanted_s, False)
    assert DepthWait().budget(product, None, STANDARD, LEFT_S).is_usual


def test_little_time_is_never_taken_whole():
    assert DepthWait().budget("cutout", None, STANDARD, 1.0).seconds == MAX_SHARE


@pytest.mark.parametrize(
    ("receipt", "quality"),
    [
        (pb.StageReceipt(outcome=pb.OUTCOME_OK, total_s=9.0, cached=True), STANDARD),
        (pb.StageReceipt(outcome=pb.OUTCOME_TIMEOUT, total_s=9.0), STANDARD),
        (pb.StageReceipt(outcome=pb.OUTCOME_OK, total_s=9.0), HIGH),
    ],
    ids=["cached", "late", "high quality"],
)
def test_only_a_standard_map_of_the_stage_is_observed(receipt, quality):
    wait = _observed(3.0)
    wait.observe(receipt, quality)
    assert wait.budget("mesh", None, STANDARD, LEFT_S).seconds == pytest.approx(6.0)
