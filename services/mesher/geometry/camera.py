"""The pinhole camera through which a framed picture was seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.common.arrays import Points


@dataclass(frozen=True)
class Camera:
    """A pinhole camera in pixels of the frame.

    Convention: it stands at the origin and looks along -Z; +X right, +Y up. A point falls on pixel
    `u = cx + focal_px * x / -z`, `v = cy - focal_px * y / -z`; the centre of the first pixel is (0.5, 0.5).
    For example (1, 1, -2) through Camera(100, 50, 50) falls on (100, 0).

    Attributes:
        focal_px: focal length in pixels, above 0.
        cx, cy: the principal point; after cropping it may lie outside the frame.
    """

    focal_px: float
    cx: float
    cy: float


def project(points: Points, camera: Camera) -> Points:
    """Return (n, 2) pixel positions (u, v) of (n, 3) points in the camera's space.

    >>> project(np.array([[1.0, 1.0, -2.0]]), Camera(focal_px=100, cx=50, cy=50)).tolist()
    [[100.0, 0.0]]
    """
    distance = np.maximum(-points[:, 2], 1e-9)
    u = camera.cx + camera.focal_px * points[:, 0] / distance
    v = camera.cy - camera.focal_px * points[:, 1] / distance
    return np.stack([u, v], axis=1)


def unproject(u: Points, v: Points, distance: Points, camera: Camera) -> Points:
    """Return (n, 3) points in the camera's space that fall on (u, v) at `distance` along the view axis; (n,) each.

    >>> unproject(np.array([100.0]), np.array([0.0]), np.array([2.0]), Camera(focal_px=100, cx=50, cy=50)).tolist()
    [[1.0, 1.0, -2.0]]
    """
    x = (u - camera.cx) * distance / camera.focal_px
    y = (camera.cy - v) * distance / camera.focal_px
    return np.stack([x, y, -distance], axis=1)
