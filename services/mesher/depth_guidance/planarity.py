"""Whether depth shows the subject as nearly a plane: a plate, a card, a sign. Flat is then right, not a fault."""

from __future__ import annotations

import cv2
import numpy as np

from services.common.arrays import BoolMask, InverseDepth
from services.mesher.geometry.camera import Camera
from services.mesher.geometry.robust_fit import fit_robustly
from services.mesher.geometry.subject_mask import long_side

MAX_UNEVENNESS = 0.09  # of the long side: the most a flat thing may leave its plane (measured: plate 0.07, next 0.12)


def is_planar(depth: InverseDepth, mask: BoolMask, camera: Camera) -> bool:
    """Return whether the subject hardly leaves the plane that fits it best.

    Args:
        depth: (H, W) float32, larger is nearer, NaN where unseen.
        mask: (H, W) bool, the subject.
        camera: of the frame.

    >>> v, u = np.mgrid[:64, :64].astype(np.float32)
    >>> subject = np.hypot(u - 32, v - 32) < 25
    >>> camera = Camera(focal_px=90, cx=32, cy=32)
    >>> leaning = 1 + 0.01 * v
    >>> ball = 1 + 0.02 * np.sqrt(np.maximum(25**2 - (u - 32) ** 2 - (v - 32) ** 2, 0))
    >>> is_planar(leaning, subject, camera), is_planar(ball, subject, camera)
    (True, False)
    """
    return _unevenness(depth, mask, camera) < MAX_UNEVENNESS


def _unevenness(depth: InverseDepth, mask: BoolMask, camera: Camera) -> float:
    """Return how far the subject leaves the plane that fits it best, 5th to 95th percentile, over its long side.

    A plane is linear in inverse depth over the pixels. Tilted planes are measured across themselves.
    """
    shrunk = cv2.erode(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    chosen = (shrunk if np.count_nonzero(shrunk) > 200 else mask) & np.isfinite(depth)
    v, u = np.nonzero(chosen)
    if len(v) < 16:
        return float("inf")
    step = max(1, len(v) // 5000)
    u, v = u[::step], v[::step]
    seen = depth[v, u].astype(np.float64)
    median = float(np.median(seen))
    if median <= 0:
        return float("inf")
    design = np.stack([u + 0.5 - camera.cx, v + 0.5 - camera.cy, np.ones(len(u))], axis=1)
    plane, _ = fit_robustly(design, seen, rounds=4, spread=2.0, least=1e-12)
    a, b, c = plane.tolist()
    flat = np.maximum(design @ plane, 0.1 * median)
    away = camera.focal_px * median * (1 / np.maximum(seen, 0.1 * median) - 1 / flat)
    upright = abs(c) / max(float(np.hypot(np.hypot(a, b) * camera.focal_px, c)), 1e-12)
    return float(np.ptp(np.percentile(away, [5, 95])) * upright / max(long_side(mask), 1))
