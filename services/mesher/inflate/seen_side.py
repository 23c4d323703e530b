"""The front of the subject from a relative inverse depth map: scaled, its rim cleaned, its noise smoothed.

Convention: distances run along the view axis, away from the camera, in cells of the silhouette's grid. The subject's
median lies at the camera's focal length, where one cell of distance is one cell of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from services.common.arrays import Float, InverseDepth
from services.mesher.geometry.camera import Camera
from services.mesher.inflate.floor import fit_floor
from services.mesher.inflate.membrane import smooth_edge_preserving
from services.mesher.inflate.silhouette import Silhouette, sample_grid

RIM_SHARE = 0.02  # of the subject's span: nearer the outline colours bleed into depth and it is not believed
RIM_REACH = 2.0  # rim widths over which the nearest (largest) inverse depth is taken for the rim: bleeding goes to far
RIM_WEIGHT = 0.001
THIN_SHARE = 0.1  # of the silhouette that lies inside the rim: with less there is nothing surer than the rim
THIN_WEIGHT = 0.02  # of a subject that is all rim: evened out over some 17 cells
CLIP_SLACK = 0.15  # of the inner range by which a rim may exceed it
MAX_RELIEF = 1.8  # of half the span between the 3rd and 97th percentile; exact scenes have 0.53 to 1.8
BEYOND_RELIEF = 0.15  # of the span: how far single points may lie before or behind these percentiles
SMOOTHING = 6.0  # cells²
EDGE_SLOPE = 1.5  # cells of distance a cell: steeper steps are the subject's own edges


@dataclass(frozen=True)
class SeenSide:
    """The seen side of the subject, and the floor behind which nothing can be.

    Attributes:
        front: (h, w) float32 distance in cells.
        floor: (h, w) float32 distance in cells, infinite where there is none.
    """

    front: Float
    floor: Float


def read_seen_side(depth: InverseDepth, silhouette: Silhouette, frame_mask: np.ndarray, camera: Camera) -> SeenSide:
    """Return the front of the subject over the silhouette's grid.

    Args:
        depth: (H, W) float32 inverse depth of the frame, larger is nearer, NaN where unseen.
        silhouette: the subject's outline.
        frame_mask: (H, W) bool, the subject in the frame.
        camera: of the frame.
    """
    mask, distance = silhouette.mask, silhouette.distance
    seen: Float = _sample_within(depth, frame_mask, silhouette)
    rim = RIM_SHARE * silhouette.span
    inner = mask & (distance >= rim)
    reach = 2 * round(rim * RIM_REACH) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    nearest = np.asarray(cv2.dilate(np.where(mask, seen, -np.inf).astype(np.float32), disc), dtype=np.float32)
    if np.count_nonzero(inner) < THIN_SHARE * np.count_nonzero(mask):  # all rim: wires, spokes
        inner, seen = mask, nearest
        weight = np.full(mask.shape, THIN_WEIGHT, dtype=np.float32)
    else:
        weight = np.where(inner, 1.0, RIM_WEIGHT).astype(np.float32)
    median = float(np.median(seen[inner]))
    low, high = np.percentile(seen[inner], [1, 99])
    slack = CLIP_SLACK * (high - low)
    believed = np.clip(np.where(inner, seen, nearest), low - slack, high + slack)

    focal = camera.focal_px / silhouette.cell_px
    raw = focal * median / np.maximum(believed, 0.15 * median)
    a, b = np.percentile(raw[inner], [3, 97])
    limit = np.float32(BEYOND_RELIEF * silhouette.span)
    squeeze = min(1.0, MAX_RELIEF * silhouette.span / 2 / max(float(b - a), 1e-6))
    raw = np.asarray(focal + (raw - focal) * squeeze, dtype=np.float32)
    raw = np.clip(
        raw, np.float32(focal + (a - focal) * squeeze) - limit, np.float32(focal + (b - focal) * squeeze) + limit
    )
    front = smooth_edge_preserving(raw, weight, mask, SMOOTHING, EDGE_SLOPE)

    behind = np.full(mask.shape, np.inf, dtype=np.float32)
    plane = fit_floor(depth, frame_mask)
    if plane is not None:
        v, u = np.mgrid[: mask.shape[0], : mask.shape[1]].astype(np.float32)
        ground = plane.inverse_depth(silhouette.x0 + u * silhouette.cell_px, silhouette.y0 + v * silhouette.cell_px)
        there = ground > 0.2 * median
        behind[there] = focal + (focal * median / ground[there] - focal) * squeeze
    return SeenSide(front, behind)


def _sample_within(depth: InverseDepth, frame_mask: np.ndarray, silhouette: Silhouette) -> Float:
    """Return the depth at the grid points, averaged over a cell of the subject only."""
    known = (frame_mask & np.isfinite(depth)).astype(np.float32)
    sigma = 0.5 * silhouette.cell_px
    total = cv2.GaussianBlur(np.where(known > 0, depth, 0).astype(np.float32), (0, 0), sigma)
    share = cv2.GaussianBlur(known, (0, 0), sigma)
    filled = np.where(share > 1e-3, total / np.maximum(share, 1e-3), np.nanmedian(depth[frame_mask]))
    return sample_grid(
        filled.astype(np.float32), silhouette.x0, silhouette.y0, silhouette.cell_px, silhouette.mask.shape[:2]
    )
