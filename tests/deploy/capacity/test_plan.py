"""Plans whose arithmetic can be done by hand."""

from __future__ import annotations

import math

import pytest

from deploy.capacity.plan import Prices, StageTimes, Target, make_plan, stage_waiting
from services.common.errors import InvalidOption

FREE = Prices(gpu=0.0, core=0.0)
EASY = Target(rps=10, max_wait=math.inf, max_utilisation=0.8, redundancy=0)


def _replicas(times: StageTimes, target: Target) -> int:
    [stage] = make_plan([times], target, FREE).stages
    return stage.replicas


def test_replicas_are_the_load_over_what_one_may_be_busy():
    assert _replicas(StageTimes("mesher", mean_s=0.4, cv2=0.0), EASY) == 5  # 4 erlangs at 80 %
    assert _replicas(StageTimes("mesher", mean_s=0.4, cv2=0.0, concurrency=2), EASY) == 3
    assert _replicas(StageTimes("mesher", mean_s=0.4, cv2=0.0, visits=1.5), EASY) == 8


def test_a_short_wait_takes_more_replicas():
    times = StageTimes("mesher", mean_s=0.4, cv2=0.5)
    few, many = (_replicas(times, Target(rps=10, max_wait=wait, redundancy=0)) for wait in (2.5, 0.25))
    assert few < many
    assert stage_waiting(times, 10, many, 1).p95_s <= 0.1 < stage_waiting(times, 10, many - 1, 1).p95_s


def test_uneven_times_take_more_replicas():
    target = Target(rps=10, max_wait=0.75, redundancy=0)
    assert _replicas(StageTimes("mesher", 0.4, 0.1), target) < _replicas(StageTimes("mesher", 0.4, 4.0), target)


def test_many_orchestrators_send_less_evenly_than_one():
    times = StageTimes("mesher", mean_s=0.4, cv2=0.0)
    one, many = (_replicas(times, Target(rps=10, max_wait=0.25, redundancy=0, routers=count)) for count in (1, 50))
    assert one < many


def test_redundancy_comes_on_top():
    assert _replicas(StageTimes("mesher", 0.4, 0.0), Target(rps=10, max_wait=math.inf, redundancy=2)) == 7


def test_cost_is_gpus_and_cores_over_the_meshes_of_an_hour():
    measured = [StageTimes("mesher", 0.4, 0.0), StageTimes("orchestrator", 0.4, 0.0, concurrency=4)]
    prices = Prices(gpu=2.0, core=0.05, cores=4.0, gpu_stages=("mesher",), per_gpu=2)
    plan = make_plan(measured, EASY, prices)
    assert {stage.times.stage: (stage.replicas, stage.gpus) for stage in plan.stages} == {
        "orchestrator": (2, 0),
        "mesher": (5, 3),
    }
    assert plan.gpus == 3
    assert plan.cost_an_hour == pytest.approx(3 * 2.0 + 5 * 4 * 0.05 + 2 * 4 * 0.05)
    assert plan.cost_per_1000 == pytest.approx(plan.cost_an_hour / 36)


def test_nothing_to_plan_for_is_refused():
    with pytest.raises(InvalidOption, match="--rps"):
        make_plan([StageTimes("mesher", 1.0, 0.0)], Target(rps=0), FREE)
