"""Linear fits that a minority of outliers does not sway."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]


def fit_robustly(
    design: npt.NDArray[np.float64], seen: Vector, rounds: int, spread: float, least: float
) -> tuple[Vector, Vector]:
    """Return x for which `design @ x` is nearest to `seen` for most rows, and what is left of each row.

    Args:
        design: (n, k) float64.
        seen: (n,) float64.
        rounds: of reweighting.
        spread: medians of the absolute residual at which a row's weight is halved.
        least: the residual at which it is halved at the least, in the unit of `seen`.
    Source: Holland and Welsch 1977, "Robust regression using iteratively reweighted least squares"; Cauchy's weights,
        applied to both sides and so squared.

    >>> x = np.arange(10.0)
    >>> seen = np.where(x == 7, 100.0, 2 * x + 1)  # one of ten is far off
    >>> line, _ = fit_robustly(np.stack([x, np.ones(10)], axis=1), seen, rounds=10, spread=2.0, least=1e-6)
    >>> line.round(3).tolist()
    [2.0, 1.0]
    """
    weight = np.ones(len(seen))
    found: Vector = np.zeros(design.shape[1])
    residual: Vector = np.zeros(len(seen))
    for _ in range(rounds):
        found = np.asarray(np.linalg.lstsq(design * weight[:, None], seen * weight, rcond=None)[0], np.float64)
        residual = np.asarray(design @ found - seen, np.float64)
        scale = max(spread * float(np.median(np.abs(residual))), least)
        weight = 1.0 / (1.0 + (residual / scale) ** 2)
    return found, residual
