"""Several replicas behind one name: the load spreads, and nobody notices when replicas come, go and die."""

from __future__ import annotations

from concurrent import futures
from typing import Any

import pytest

from tests.waiting import until
from unflat.v1 import orchestrator_pb2 as pb

pytestmark = pytest.mark.e2e

STAGES = ("segmentation", "depth", "mesher")
WAIT_S = 60.0
SOME = 2  # answers that prove that work goes on


def _admitted(fleet: Any) -> dict[str, list[int]]:
    return {stage: [one.admitted() for one in fleet.replicas[stage]] for stage in STAGES}


def _wait_for_more(load: Any) -> None:
    """Wait until some answers have come that were begun before."""
    wanted = len(load.made) + SOME
    until(lambda: len(load.made) >= wanted or load.lost, WAIT_S)
    assert not load.lost, load.lost


def _assert_nothing_lost(load: Any) -> None:
    assert not load.lost, load.lost
    assert load.made
    assert load.depth_outcomes() == {pb.OUTCOME_OK}


def test_load_spreads_over_all_replicas_of_every_stage(fleet, photo):
    fleet.heal()
    before = _admitted(fleet)
    with futures.ThreadPoolExecutor(4) as callers:
        list(callers.map(fleet.mesh, [photo] * 16))
    after = _admitted(fleet)
    for stage in STAGES:
        shares = [b - a for a, b in zip(before[stage], after[stage], strict=True)]
        assert min(shares) >= 2, (stage, shares)


def test_a_rolling_restart_under_load_loses_nothing(fleet, photo):
    fleet.heal()
    old = [replica for stage in STAGES for replica in fleet.replicas[stage]]
    with fleet.under_load(photo) as load:
        _wait_for_more(load)
        for first, second in zip(old[::2], old[1::2], strict=True):
            for replica, fresh in zip((first, second), [fleet.launch(first.stage) for _ in range(2)], strict=True):
                fleet.take_in(fresh)
                fleet.retire(replica)
        _wait_for_more(load)
    _assert_nothing_lost(load)
    assert all(min(counts) > 0 for counts in _admitted(fleet).values())


def test_a_new_replica_gets_traffic_once_connections_are_renewed(fleet, photo):
    """Nothing breaks here: without an age of connections nobody would ask DNS again."""
    fleet.heal()
    fresh = fleet.launch("depth")
    fleet.take_in(fresh)
    until(lambda: fleet.mesh(photo) and fresh.admitted(), WAIT_S)
    fleet.retire(fresh)


def test_a_killed_replica_of_each_stage_loses_nothing(fleet, photo):
    """Calls that had not begun to answer are retried by gRPC, meshes that had by the orchestrator."""
    fleet.heal()
    with fleet.under_load(photo) as load:
        for stage in STAGES:
            _wait_for_more(load)
            fleet.kill(fleet.replicas[stage][0])
        _wait_for_more(load)
    _assert_nothing_lost(load)
