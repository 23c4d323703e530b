"""The circuit breaker, with a clock that the test turns."""

from __future__ import annotations

import pytest

from services.common.telemetry import metrics
from services.orchestrator.stages.circuit_breaker import Breaker


class _Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return _Clock()


@pytest.fixture
def breaker(clock):
    return Breaker("tested", failures=3, rest_s=2.0, clock=clock)


def _open(breaker: Breaker) -> None:
    for _ in range(3):
        assert breaker.allows()
        breaker.record_failure()


def test_it_opens_after_so_many_failures_in_a_row_and_says_so(breaker):
    _open(breaker)
    assert breaker.state == "open"
    assert not breaker.allows()
    assert metrics.BREAKER_OPEN.labels("tested")._value.get() == 1


def test_one_success_between_failures_keeps_it_closed(breaker):
    for _ in range(4):
        breaker.record_failure()
        breaker.record_failure()
        breaker.record_success()
    assert breaker.state == "closed"


def test_after_its_rest_one_probe_at_a_time_is_let_through(breaker, clock):
    _open(breaker)
    clock.now += 1.9
    assert not breaker.allows()
    clock.now += 0.2
    assert breaker.state == "half-open"
    assert breaker.allows()
    assert not breaker.allows()


def test_a_probe_that_succeeds_closes_it(breaker, clock):
    _open(breaker)
    clock.now += 2
    assert breaker.allows()
    breaker.record_success()
    assert breaker.state == "closed"
    assert all(breaker.allows() for _ in range(5))
    assert metrics.BREAKER_OPEN.labels("tested")._value.get() == 0


def test_a_probe_that_fails_opens_it_for_another_whole_rest(breaker, clock):
    _open(breaker)
    clock.now += 2
    assert breaker.allows()
    breaker.record_failure()
    clock.now += 1.9
    assert breaker.state == "open"
    clock.now += 0.2
    assert breaker.allows()


def test_a_probe_that_told_nothing_leaves_room_for_the_next(breaker, clock):
    _open(breaker)
    clock.now += 2
    assert breaker.allows()
    breaker.release_probe()
    assert breaker.state == "half-open"
    assert breaker.allows()


def test_what_does_not_count_neither_opens_nor_resets_it(breaker):
    breaker.record_failure()
    breaker.record_failure()
    for _ in range(10):
        breaker.release_probe()
    assert breaker.state == "closed"
    breaker.record_failure()
    assert breaker.state == "open"
