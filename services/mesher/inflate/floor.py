"""The plane the subject stands on, read from the inverse depth beside and below it.

Seen through a pinhole a plane is linear in inverse depth over the pixels, whatever its tilt; so the floor is three
numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from services.common.arrays import BoolMask, Float, InverseDepth
from services.mesher.geometry.robust_fit import fit_robustly

LOWER_SHARE = 0.4  # of the subject's box: the floor is looked for beside and below this part
GAP_SHARE = 0.02  # of the box's long side left free round the subject, where colours bleed into depth
TOLERANCE = 0.03  # of the subject's inverse depth: what still counts as lying on the floor
MIN_INLIERS = 0.6
MIN_PIXELS = 200


@dataclass(frozen=True)
class Floor:
    """Inverse depth of the floor at frame pixel (u, v): `a u + b v + c`."""

    a: float
    b: float
    c: float

    def inverse_depth(self, u: Float, v: Float) -> Float:
        """Return the floor's inverse depth at pixel positions, in the unit of the map it was fitted to."""
        return np.asarray(self.a * u + self.b * v + self.c, dtype=np.float32)


def fit_floor(depth: InverseDepth, mask: BoolMask) -> Floor | None:
    """Return the floor under the subject, or None where the surroundings are no plane that comes nearer downwards."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, bottom = int(rows[0]), int(rows[-1])
    gap = max(3, round(GAP_SHARE * max(bottom - top, int(columns[-1] - columns[0]))))
    near = cv2.dilate(mask.astype(np.uint8), np.ones((2 * gap + 1, 2 * gap + 1), np.uint8)) > 0
    ground = ~near & np.isfinite(depth)
    ground[: round(bottom - LOWER_SHARE * (bottom - top))] = False
    v, u = np.nonzero(ground)
    if len(v) < MIN_PIXELS:
        return None
    step = max(1, len(v) // 4000)
    u, v = u[::step], v[::step]
    seen = depth[v, u].astype(np.float64)
    subject = float(np.nanmedian(depth[mask]))
    tolerance = TOLERANCE * max(abs(subject), 1e-9)

    design = np.stack([u + 0.5, v + 0.5, np.ones(len(u))], axis=1)
    plane, residual = fit_robustly(design, seen, rounds=12, spread=1.5, least=tolerance)
    inliers = float(np.mean(np.abs(residual) < tolerance))
    grows = plane[1] * (bottom - top) > tolerance
    return Floor(*plane.tolist()) if inliers > MIN_INLIERS and grows else None
