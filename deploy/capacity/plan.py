"""How many replicas of each stage a rate needs, and what a thousand meshes cost: arithmetic on measured times.

A replica has a queue of its own and `round_robin` sends calls to replicas in turn, so each is a small queue, not a
share of a big one: the plan grows a stage until one replica's queue is short enough, then adds redundancy.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from deploy.capacity.queueing import Waiting, routed_arrival_cv2, waiting
from services.common.errors import InvalidOption

ORCHESTRATOR = "orchestrator"
_MOST_REPLICAS = 100_000


@dataclass(frozen=True)
class StageTimes:
    """What was measured of one stage.

    Attributes:
        stage: segmentation, depth, mesher or orchestrator.
        mean_s: of one call, without waiting.
        cv2: variance / mean² of it.
        visits: calls to the stage a request (a second try of the mesher makes it more than 1).
        concurrency: calls that one replica computes side by side.
        backend, device: what ran.
        samples: calls behind the figures.
    """

    stage: str
    mean_s: float
    cv2: float
    visits: float = 1.0
    concurrency: int = 1
    backend: str = ""
    device: str = ""
    samples: int = 0


@dataclass(frozen=True)
class Target:
    """What is wanted.

    Attributes:
        rps: requests a second.
        max_wait: one call in twenty may wait longer for a stage than this many times what a call takes there.
        max_utilisation: no replica may compute for a larger share of the time.
        redundancy: replicas beyond the need, so that one may die or be replaced.
        routers: orchestrators that send calls; 0: as many as the plan has.
    """

    rps: float
    max_wait: float = 2.0
    max_utilisation: float = 0.8
    redundancy: int = 1
    routers: int = 0


@dataclass(frozen=True)
class Prices:
    """What an hour costs, in one currency.

    Attributes:
        gpu: of one GPU.
        core: of one CPU core.
        cores: of one replica.
        gpu_stages: stages whose replicas have a GPU.
        per_gpu: replicas that share one.
    """

    gpu: float
    core: float
    cores: float = 2.0
    gpu_stages: tuple[str, ...] = ()
    per_gpu: int = 1


@dataclass(frozen=True)
class StagePlan:
    """One stage of the plan; waiting is with all replicas well."""

    times: StageTimes
    load: float
    replicas: int
    waiting: Waiting
    gpus: int
    cost_an_hour: float


@dataclass(frozen=True)
class Plan:
    """The whole plan."""

    stages: tuple[StagePlan, ...]
    gpus: int
    cost_an_hour: float
    cost_per_1000: float


def make_plan(measured: Iterable[StageTimes], target: Target, prices: Prices) -> Plan:
    """Return the smallest number of replicas of each stage that meets the target, and its cost.

    Raises:
        InvalidOption: the target cannot be met by any number.
    """
    if target.rps <= 0:
        raise InvalidOption(f"{target.rps} requests a second are nothing to plan for (--rps)")
    stages: list[StagePlan] = []
    routers = max(1, target.routers)
    for times in sorted(measured, key=lambda one: one.stage != ORCHESTRATOR):  # the routers come first
        is_router = times.stage == ORCHESTRATOR
        planned = _plan_stage(times, target, prices, 1 if is_router else routers)
        if is_router and target.routers == 0:
            routers = planned.replicas
        stages.append(planned)
    cost = sum(stage.cost_an_hour for stage in stages)
    per_1000 = cost / (target.rps * 3600) * 1000
    return Plan(tuple(stages), sum(stage.gpus for stage in stages), cost, per_1000)


def stage_waiting(times: StageTimes, rate: float, replicas: int, routers: int) -> Waiting:
    """Return the wait in front of one of `replicas`, when `rate` calls a second are sent to them."""
    utilisation = rate * times.mean_s / (replicas * times.concurrency)
    arrival_cv2 = routed_arrival_cv2(replicas, routers, utilisation)
    return waiting(rate / replicas, times.mean_s, times.cv2, times.concurrency, arrival_cv2)


def _plan_stage(times: StageTimes, target: Target, prices: Prices, routers: int) -> StagePlan:
    rate = target.rps * times.visits
    load = rate * times.mean_s
    needed = max(1, math.ceil(load / (times.concurrency * target.max_utilisation)))
    while stage_waiting(times, rate, needed, routers).p95_s > target.max_wait * times.mean_s:
        needed += max(1, needed // 100)
        if needed > _MOST_REPLICAS:
            raise InvalidOption(f"no number of replicas brings the wait at {times.stage} down that far (--max-wait)")
    replicas = needed + target.redundancy
    gpus = math.ceil(replicas / prices.per_gpu) if times.stage in prices.gpu_stages else 0
    cost = gpus * prices.gpu + replicas * prices.cores * prices.core
    return StagePlan(times, load, replicas, stage_waiting(times, rate, replicas, routers), gpus, cost)
