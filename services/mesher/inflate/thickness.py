"""How far a silhouette bulges: half-thickness from the outline alone.

Convention: (h, w) float32 in cells of the silhouette's grid, 0 outside.
"""

from __future__ import annotations

import cv2
import numpy as np

from services.common.arrays import Float
from services.mesher.inflate.membrane import Membrane
from services.mesher.inflate.silhouette import Silhouette

RIM_CELLS = 4.0  # from the outline within which whole cells are corrected to true distances
THIN_ROUNDING = 0.5  # of the half-thickness: the largest rounding of a thin part's front


def circle_profile(silhouette: Silhouette) -> Float:
    """Return √(R² - (R - s)²): s the distance to the outline, R its largest value."""
    s = np.maximum(silhouette.distance, 0.0)
    radius = float(s.max())
    return np.asarray(np.sqrt(np.maximum(radius**2 - (radius - s) ** 2, 0.0)), dtype=np.float32)


def poisson_bulge(membrane: Membrane, silhouette: Silhouette) -> Float:
    """Return √φ with ∇²φ = -4 and φ = 0 on the rim: a sphere over a disc, smooth everywhere.

    The membrane knows whole cells only; near the rim φ is scaled to the outline's true distance, or the steep sides of
    the solid would show the cells as streaks.
    """
    phi = np.maximum(membrane.poisson(4.0), 0.0)
    whole = cv2.distanceTransform(silhouette.mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    exact = np.maximum(silhouette.distance, 0.0)
    near_rim = np.clip((RIM_CELLS - whole) / (RIM_CELLS - 1.0), 0.0, 1.0)
    ratio = np.clip(exact / np.maximum(whole, 1e-6), 0.1, 1.5)
    return np.asarray(np.sqrt(phi * (near_rim * ratio + 1.0 - near_rim)), dtype=np.float32)


def round_rim(half: Float, silhouette: Silhouette, radius: float) -> Float:
    """Return how far the front draws back towards the rim: a quarter circle of `radius` cells, less on thin parts."""
    s = np.maximum(silhouette.distance, 0.0)
    reach = 2 * int(np.ceil(radius)) + 1
    stout = cv2.dilate(half, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    local = np.clip(THIN_ROUNDING * stout, 1e-3, radius)
    inward = np.clip(1.0 - s / local, 0.0, 1.0)
    return np.asarray(local * (1.0 - np.sqrt(1.0 - inward**2)), dtype=np.float32)
