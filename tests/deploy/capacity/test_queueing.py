"""Erlang's formula against published values, and its limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.capacity.queueing import erlang_c, routed_arrival_cv2, waiting


@pytest.mark.parametrize(
    ("servers", "load", "wanted"),
    [
        (1, 0.5, 0.5),  # M/M/1: the utilisation
        (2, 1.0, 1 / 3),
        (3, 2.0, 4 / 9),
        (5, 4.0, 0.5541),  # the table of call-centre textbooks
        (10, 8.0, 0.4092),
        (100, 95.0, 0.5065),
    ],
)
def test_erlang_c_has_its_known_values(servers, load, wanted):
    assert erlang_c(servers, load) == pytest.approx(wanted, abs=1e-3)


def test_erlang_c_of_very_many_servers_does_not_overflow():
    assert 0 < erlang_c(5000, 4900.0) < 1


def test_an_exponential_server_is_m_m_1():
    found = waiting(rate=0.8, mean_s=1.0, cv2=1.0, servers=1)
    assert found.mean_s == pytest.approx(0.8 / 0.2)
    assert found.p95_s == pytest.approx(5 * math.log(0.8 / 0.05))


def test_a_regular_server_is_pollaczek_and_khinchine():
    assert waiting(rate=0.5, mean_s=1.0, cv2=0.0, servers=1).mean_s == pytest.approx(0.5)
    assert waiting(rate=0.5, mean_s=1.0, cv2=3.0, servers=1).mean_s == pytest.approx(2.0)


def test_arrivals_like_clockwork_wait_as_in_d_m_1():
    """Exact by the root of σ = exp((σ − 1) / ρ): 0.255 at half load, 1.201 at three quarters."""
    for load, wanted in ((0.5, 0.255), (0.75, 1.201)):
        found = waiting(rate=load, mean_s=1.0, cv2=1.0, servers=1, arrival_cv2=0.0)
        assert found.mean_s == pytest.approx(wanted, rel=0.06)


@pytest.mark.parametrize(("busy", "replicas"), [(0.53, 1), (0.73, 1), (0.46, 3), (0.63, 3)])
def test_waits_are_those_of_a_simulation(busy, replicas):
    """Every `replicas`-th call of random arrivals, log-normal times; Lindley's recursion, call by call."""
    rng, count, cv2 = np.random.default_rng(1), 100_000, 0.25
    gaps = rng.gamma(replicas, 1 / busy / replicas, count)
    sigma2 = math.log1p(cv2)
    took = rng.lognormal(-sigma2 / 2, math.sqrt(sigma2), count)
    wait, waits = 0.0, []
    for gap, seconds in zip(gaps, took, strict=True):
        wait = max(0.0, wait - gap)
        waits.append(wait)
        wait += seconds
    found = waiting(busy, 1.0, cv2, 1, routed_arrival_cv2(replicas, 1, busy))
    assert found.mean_s == pytest.approx(np.mean(waits), rel=0.1)
    assert found.p95_s == pytest.approx(np.percentile(waits, 95), rel=0.12)


def test_too_much_load_waits_for_ever():
    found = waiting(rate=2.0, mean_s=1.0, cv2=1.0, servers=2)
    assert found.mean_s == math.inf
    assert found.utilisation == 1.0


def test_few_who_wait_make_a_percentile_of_zero():
    assert waiting(rate=0.01, mean_s=1.0, cv2=1.0, servers=1).p95_s == 0.0


def test_one_router_makes_arrivals_even_and_many_mix_them():
    assert routed_arrival_cv2(replicas=10, routers=1, utilisation=0.7) == pytest.approx(0.1)
    assert routed_arrival_cv2(replicas=10, routers=10_000, utilisation=0.7) == pytest.approx(1.0, abs=0.01)
    assert routed_arrival_cv2(replicas=1, routers=3, utilisation=0.7) == pytest.approx(1.0)


@given(st.integers(1, 50), st.floats(0.01, 0.98), st.floats(0, 4))
def test_more_servers_at_the_same_load_never_wait_longer(servers, share, cv2):
    load = share * servers
    fewer, more = (waiting(load, 1.0, cv2, count) for count in (servers, servers + 1))
    assert more.mean_s <= fewer.mean_s
    assert more.p95_s <= fewer.p95_s + 1e-12
