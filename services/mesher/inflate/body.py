"""A round body through the front that depth shows: what is likely behind it, as far as depth looks like such a body.

Most things are about as deep as their outline is wide, and a depth map errs most in what is slow and large. A bulge of
the outline about a leaning plane is laid through the front; where it fits, its far side is a better guess than one made
from depth alone. Where it does not (a bowl's inside, a chair's legs, a table that leans away) it is not believed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.common.arrays import Float
from services.mesher.inflate.silhouette import Silhouette
from services.mesher.inflate.thickness import circle_profile

RIM_SHARE = 0.02  # of the span: nearer the outline depth is not believed
PRIOR = 0.1  # how much "as deep as it is wide" counts against all that depth says about it
# Measured on 24 + 24 scenes. The plate, a wheel and basket nets lie at 0.2 to 0.4, bodies at 0.7 to 1.4.
ROUNDNESS = (0.2, 0.8)  # depth over width at which the body begins to be believed, and from which it is
MAX_ROUNDNESS = 1.5
MAX_MISFIT = 0.1  # of the span, median: bowls 0.15, bodies 0.01 to 0.05
MAX_LEAN = 1.5  # cells of distance a cell: tables and seats seen from above lean by 1.4 to 3.4
ROUNDS = 6


@dataclass(frozen=True)
class Body:
    """A body laid through a front.

    Attributes:
        back: (h, w) float32 distance of its far side in cells.
        belief: 0 to 1, how far the front looks like one.
    """

    back: Float
    belief: float


def fit_body(front: Float, silhouette: Silhouette) -> Body:
    """Return the bulge of the outline about a leaning plane whose near side fits the front best.

    Args:
        front: (h, w) float32 distance in cells.
        silhouette: the outline.
    """
    mask, half = silhouette.mask, circle_profile(silhouette)
    inner = mask & (silhouette.distance >= RIM_SHARE * silhouette.span)
    rows, columns = np.nonzero(inner if inner.any() else mask)
    centre = rows.mean(), columns.mean()
    bulge = half[rows, columns].astype(np.float64)
    design = np.stack([np.ones(len(rows)), columns - centre[1], rows - centre[0], -bulge], axis=1)
    seen = front[rows, columns].astype(np.float64)
    (distance, right, down, roundness), misfit = _fit_robustly(design, seen)

    v, u = np.mgrid[: mask.shape[0], : mask.shape[1]]
    plane = distance + right * (u - centre[1]) + down * (v - centre[0])
    back = plane + np.clip(roundness, ROUNDNESS[0], MAX_ROUNDNESS) * half
    belief = (
        np.clip((roundness - ROUNDNESS[0]) / (ROUNDNESS[1] - ROUNDNESS[0]), 0.0, 1.0)
        * max(0.0, 1.0 - misfit / (MAX_MISFIT * silhouette.span))
        * max(0.0, 1.0 - float(np.hypot(right, down)) / MAX_LEAN)
    )
    return Body(back.astype(np.float32), float(belief))


def _fit_robustly(
    design: npt.NDArray[np.float64], seen: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], float]:
    """Return the reweighted least-squares solution, its last unknown drawn towards 1, and the median misfit."""
    weight = np.ones(len(seen))
    held = PRIOR * len(seen) * max(float(np.var(design[:, 3])), 1e-6)
    found: npt.NDArray[np.float64] = np.zeros(4)
    misfit = 0.0
    for _ in range(ROUNDS):
        weighted = design * weight[:, None]
        normal, load = design.T @ weighted + 1e-9 * np.eye(4), weighted.T @ seen
        normal[3, 3] += held
        load[3] += held
        found = np.asarray(np.linalg.solve(normal, load), dtype=np.float64)
        residual = np.abs(design @ found - seen)
        misfit = float(np.median(residual))
        weight = 1.0 / (1.0 + (residual / (1.5 * misfit + 1e-6)) ** 2)
    return found, misfit
