"""How far a silhouette bulges: half-thickness from the outline alone.

Convention: (h, w) float32 in cells of the silhouette's grid, 0 outside.
"""

from __future__ import annotations

import numpy as np

from services.common.arrays import Float
from services.mesher.inflate.membrane import Membrane
from services.mesher.inflate.silhouette import Silhouette


def circle_profile(silhouette: Silhouette) -> Float:
    """Return √(R² - (R - s)²): s the distance to the outline, R its largest value."""
    s = np.maximum(silhouette.distance, 0.0)
    radius = float(s.max())
    return np.asarray(np.sqrt(np.maximum(radius**2 - (radius - s) ** 2, 0.0)), dtype=np.float32)


def poisson_bulge(membrane: Membrane) -> Float:
    """Return √φ with ∇²φ = -4 and φ = 0 on the rim: a sphere over a disc, smooth everywhere."""
    return np.asarray(np.sqrt(np.maximum(membrane.poisson(4.0), 0.0)), dtype=np.float32)
