"""How long calls wait for one of several servers: Erlang's formula, and relatives for times that are not exponential.

Convention: rates in calls a second, times in seconds, load in erlangs (rate × mean service time). A squared coefficient
of variation (cv2) is variance / mean²: 0 where all are alike, 1 where they are exponential.
Source: A. K. Erlang 1917; A. O. Allen, Probability, Statistics and Queueing Theory, 2nd ed. 1990, ch. 5 (Allen and
Cunneen's approximation); W. Kraemer and M. Langenbach-Belz, 8th International Teletraffic Congress, 1976; W. Whitt, The
Queueing Network Analyzer, Bell System Technical Journal 62(9), 1983, sec. 4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_TAIL = 0.05  # what waits longer than the 95th percentile


@dataclass(frozen=True)
class Waiting:
    """Time between arrival and turn.

    Attributes:
        utilisation: share of the servers that is busy.
        probability: that a call waits at all.
        mean_s: over all calls.
        p95_s: exceeded by one call in twenty.
    """

    utilisation: float
    probability: float
    mean_s: float
    p95_s: float


def erlang_c(servers: int, load: float) -> float:
    """Return the probability that a call finds all servers busy (M/M/c).

    Args:
        servers: 1 or more.
        load: erlangs; at `servers` or more everybody waits.
    """
    if load >= servers:
        return 1.0
    blocked = 1.0  # Erlang B by its recursion, which overflows for no number of servers
    for n in range(1, servers + 1):
        blocked = load * blocked / (n + load * blocked)
    return blocked / (1.0 - load / servers * (1.0 - blocked))


def waiting(rate: float, mean_s: float, cv2: float, servers: int, arrival_cv2: float = 1.0) -> Waiting:
    """Return how long calls wait in front of `servers` that share one queue.

    G/G/c after Allen and Cunneen, with Kraemer and Langenbach-Belz's factor where arrivals come more evenly than at
    random: fewer calls wait then than the load alone would say.

    Args:
        rate: arrivals a second.
        mean_s: mean service time.
        cv2: of the service times.
        servers: calls that are served side by side.
        arrival_cv2: of the times between arrivals; 1 where callers know nothing of each other.
    """
    load = rate * mean_s
    if load >= servers:
        return Waiting(load / servers, 1.0, math.inf, math.inf)
    utilisation = load / servers
    probability = erlang_c(servers, load)
    if arrival_cv2 < 1 and load > 0:
        evenness = (1 - arrival_cv2) ** 2 / (arrival_cv2 + cv2)
        probability *= math.exp(-2 * (1 - utilisation) / (3 * utilisation) * evenness)
    # Those who wait do so for about an exponential time of this mean.
    wait_s = mean_s / (servers - load) * (arrival_cv2 + cv2) / 2
    p95_s = wait_s * math.log(probability / _TAIL) if probability > _TAIL else 0.0
    return Waiting(utilisation, probability, probability * wait_s, p95_s)


def routed_arrival_cv2(replicas: int, routers: int, utilisation: float) -> float:
    """Return the cv2 of arrivals at one of `replicas` to which `routers` send their calls in turn.

    One router gives a replica every `replicas`-th call, which comes more evenly (1 / replicas); many routers, each in
    its own turn, mix that up again towards 1.

    Args:
        replicas: that calls are sent to.
        routers: who send them, alike and independent.
        utilisation: of the replica, 0 to 1.
    """
    mixed = 1 / (1 + 4 * (1 - min(utilisation, 1.0)) ** 2 * (routers - 1))
    return mixed / replicas + 1 - mixed
