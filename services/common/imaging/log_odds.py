"""Probabilities as log odds, in which independent evidence adds up."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from services.common.arrays import Float

FLOOR = 0.02  # a network's 0 and 1 are not infinite certainty: ±3.9 in log odds


def to_log_odds(probability: npt.ArrayLike) -> Float:
    """Return ln(p / (1 - p)) as float32, p clipped to [0.02, 0.98].

    >>> to_log_odds([0.5, 0.9, 1.0]).astype(float).round(2).tolist()
    [0.0, 2.2, 3.89]
    """
    p = np.clip(np.asarray(probability, dtype=np.float32), FLOOR, 1.0 - FLOOR)
    return np.asarray(np.log(p / (1.0 - p)), dtype=np.float32)


def from_log_odds(log_odds: npt.ArrayLike) -> Float:
    """Return 1 / (1 + e^-x) as float32.

    >>> round(float(from_log_odds(to_log_odds(0.9) + to_log_odds(0.9))), 2)  # evidence twice, each on its own
    0.99
    """
    return np.asarray(1.0 / (1.0 + np.exp(-np.asarray(log_odds, dtype=np.float32))), dtype=np.float32)
