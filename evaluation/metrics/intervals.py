"""How sure a mean is: percentile bootstrap over the items (Efron 1979). Differences are taken item by item first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import bootstrap

ROUNDS = 4000  # the ends of the interval then move by about a fiftieth of its width from seed to seed
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean over `count` items and the interval that holds it with `LEVEL` confidence."""

    mean: float
    low: float
    high: float
    count: int

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0


def mean_interval(values: Sequence[float], seed: int = 0) -> Interval:
    """Return mean and interval of at least one value.

    Raises:
        ValueError: no values.
    """
    if len(values) == 0:
        raise ValueError("no values; wanted one or more")
    mean = float(np.mean(values))
    if len(values) == 1:
        return Interval(mean, mean, mean, 1)
    found = bootstrap((values,), np.mean, n_resamples=ROUNDS, confidence_level=LEVEL, method="percentile", rng=seed)
    low, high = found.confidence_interval
    return Interval(mean, float(low), float(high), len(values))


def paired_interval(first: Sequence[float], second: Sequence[float], seed: int = 0) -> Interval:
    """Return the mean of `first - second` over the same items, and its interval.

    Raises:
        ValueError: no values, or not as many of one as of the other.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} values against {len(second)}; wanted one pair an item")
    return mean_interval([a - b for a, b in zip(first, second, strict=True)], seed)
