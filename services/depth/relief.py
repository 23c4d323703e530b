"""What a depth map is worth: its near and far end without outliers, and whether there is anything in it but a plane.

Relative inverse depth has a scale and a shift of its own in every picture, so no absolute spread means anything. But
a plane of the world is linear in pixel coordinates in inverse depth: what a linear function explains is a wall, a floor
or a network's false ramp, and only the rest is relief.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.common.arrays import InverseDepth

_ENDS = (2, 98)  # percentiles: a sky at 0 or a spike at an edge moves neither
_SAMPLES = 256  # along each side at most: a plane and percentiles need no more


@dataclass(frozen=True)
class Relief:
    """Three figures of a map.

    Args:
        far: 2nd percentile.
        near: 98th percentile.
        flatness: share of the variance that one plane explains, in [0, 1]; 1 for a constant map.
    """

    far: float
    near: float
    flatness: float


def measure_relief(depth: InverseDepth) -> Relief:
    """Return near, far and flatness of an (H, W) map; what is not finite is left out."""
    height, width = depth.shape
    step_y, step_x = -(-height // _SAMPLES), -(-width // _SAMPLES)
    y, x = np.mgrid[0:height:step_y, 0:width:step_x]
    seen = depth[::step_y, ::step_x].astype(np.float64)
    known = np.isfinite(seen)
    values = seen[known]
    if values.size == 0:
        return Relief(0.0, 0.0, 1.0)
    far, near = (float(value) for value in np.percentile(values, _ENDS))
    plane = np.stack([x[known], y[known], np.ones(values.size)], axis=1).astype(np.float64)
    coefficients, *_ = np.linalg.lstsq(plane, values, rcond=None)
    total = float(((values - values.mean()) ** 2).sum())
    left = float(((values - plane @ coefficients) ** 2).sum())
    noise = np.finfo(np.float32).eps ** 2 * float((values**2).sum())  # below what float32 can tell apart
    return Relief(far, near, 1.0 if total <= noise else float(np.clip(1 - left / total, 0.0, 1.0)))
