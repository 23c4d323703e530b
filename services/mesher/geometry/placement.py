"""Where a mesh of unknown size stands before the camera: its projected box is laid over the cutout's."""

from __future__ import annotations

import numpy as np

from services.common.arrays import Alpha, BoolMask, Points
from services.mesher.geometry.camera import Camera, project
from services.mesher.geometry.subject_mask import subject_mask

ROUNDS = 12  # each cuts the error some tenfold; box and distance settle to a hundredth of a pixel


def place_before_camera(vertices: Points, alpha: Alpha, camera: Camera) -> Points:
    """Return the vertices in the camera's space, moved and brought nearer or farther until they cover the cutout's box.

    The mesh keeps its size and its orientation (+Z towards the camera, as all our meshes); only its place is unknown.

    Args:
        vertices: (n, 3) float64.
        alpha: (H, W) float32 in [0, 1], not empty.
        camera: of the frame.
    """
    low, high = _outline_box(alpha)
    size, centre = high - low, (low + high) / 2
    points = vertices - (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    extent = np.ptp(points, axis=0)
    distance = camera.focal_px * float(max(extent[0] / max(size[0], 1e-6), extent[1] / max(size[1], 1e-6)))
    nearest_allowed = 0.6 * float(extent[2]) + 1e-6
    shift = np.zeros(3)
    for _ in range(ROUNDS):
        shift[2] = -max(distance, nearest_allowed)
        pixels = project(points + shift, camera)
        found_low, found_high = pixels.min(axis=0), pixels.max(axis=0)
        off = centre - (found_low + found_high) / 2
        shift[0] += off[0] * -shift[2] / camera.focal_px
        shift[1] -= off[1] * -shift[2] / camera.focal_px
        distance = -shift[2] * float(max((found_high - found_low) / np.maximum(size, 1e-6)))
    shift[2] = -max(distance, nearest_allowed)
    return np.asarray(points + shift, dtype=np.float64)


def _outline_box(alpha: Alpha) -> tuple[Points, Points]:
    """Return the lower and upper corner (x, y) of the half-coverage outline, to a fraction of a pixel."""
    mask = subject_mask(alpha)
    across, down = _ends(alpha, mask, axis=0), _ends(alpha, mask, axis=1)
    return np.array([across[0], down[0]]), np.array([across[1], down[1]])


def _ends(alpha: Alpha, mask: BoolMask, axis: int) -> tuple[float, float]:
    seen = np.flatnonzero(mask.any(axis=axis))
    if len(seen) == 0:
        return 0.0, float(mask.shape[1 - axis])
    strongest = np.where(mask, alpha, np.minimum(alpha, 0.5)).max(axis=axis)
    first, last = int(seen[0]), int(seen[-1])
    before = float(strongest[first - 1]) if first > 0 else 0.0
    after = float(strongest[last + 1]) if last + 1 < len(strongest) else 0.0
    # The outline lies where coverage summed along a row reaches the edge: full pixels, and the rest as their share.
    start = first + 1 - min(1.0, float(strongest[first])) - before * (before < 0.5)
    end = last + min(1.0, float(strongest[last])) + after * (after < 0.5)
    return start, end
