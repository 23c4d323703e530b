"""The subject's outline as a signed distance on a grid as fine as the face budget allows."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from services.common.arrays import Alpha, BoolMask, Float
from services.common.errors import NoSubject
from services.mesher.geometry.subject_mask import subject_mask

MARGIN_CELLS = 3  # round the subject, so that the volume closes inside the grid
CELL_LIMITS = (48, 208)  # along the subject's long side: coarser is simplified instead, finer only adds faces
FEWEST_CELLS = 12  # where simplifying would tear the surface
FACES_PER_CELL = 11.0  # of the outline: two sheets of two faces, slopes and sides (measured 10-16)
THIN_CELLS = 0.4  # a ridge lower than this is lifted to it, so that no wire falls between grid points


@dataclass(frozen=True)
class Silhouette:
    """The outline on a grid.

    Attributes:
        distance: (h, w) float32 signed distance to the outline in cells, positive inside.
        mask: (h, w) bool, `distance > 0`.
        x0, y0: the frame position in pixels of grid point (0, 0) (pixel centres at .5).
        cell_px: spacing of the grid points in frame pixels.
        span: the subject's longer side in cells.
    """

    distance: Float
    mask: BoolMask
    x0: float
    y0: float
    cell_px: float
    span: float


def trace_silhouette(alpha: Alpha, max_faces: float, span: float | None = None) -> Silhouette:
    """Return the outline of the subject at half coverage, without specks.

    Args:
        alpha: (H, W) float32 in [0, 1].
        max_faces: the face budget; the grid is chosen so that the finished mesh stays near it.
        span: cells along the subject's longer side, instead of those that fit the budget.

    Raises:
        NoSubject: no pixel is covered by half.

    >>> v, u = np.mgrid[:64, :64] + 0.5
    >>> disc = (np.hypot(u - 32, v - 32) < 25).astype(np.float32)
    >>> outline = trace_silhouette(disc, max_faces=60_000, span=50)
    >>> outline.span, outline.cell_px, int(outline.mask.sum()), int(disc.sum())
    (50.0, 1.0, 1941, 1976)
    """
    mask = subject_mask(alpha)
    if not mask.any():
        raise NoSubject("the cutout is empty: no pixel is at least half covered")
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    height, width = int(rows[-1]) - top + 1, int(columns[-1]) - left + 1
    span_px = max(height, width)
    if span is None:
        fitting = np.sqrt(max_faces / FACES_PER_CELL / (np.count_nonzero(mask) / span_px**2))
        span = float(np.clip(fitting, *CELL_LIMITS))
    cell_px = max(span_px / max(span, FEWEST_CELLS), 0.5)

    x0, y0 = left - MARGIN_CELLS * cell_px, top - MARGIN_CELLS * cell_px
    grid_w = int(np.ceil(width / cell_px)) + 2 * MARGIN_CELLS + 1
    grid_h = int(np.ceil(height / cell_px)) + 2 * MARGIN_CELLS + 1
    distance = _signed_distance(np.asarray(np.where(mask, alpha, np.minimum(alpha, 0.49)), np.float32))
    sampled = sample_grid(distance, x0, y0, cell_px, (grid_h, grid_w), border=-1e3) / cell_px
    sampled = _lift_ridges(sampled, distance / cell_px, x0, y0, cell_px)
    return Silhouette(sampled, sampled > 0, x0, y0, cell_px, span_px / cell_px)


def sample_grid(
    picture: Float, x0: float, y0: float, cell_px: float, shape: tuple[int, int], border: float | None = None
) -> Float:
    """Return the picture bilinearly at the grid points; beyond it the nearest pixel, or `border`."""
    x = (x0 + cell_px * np.arange(shape[1]) - 0.5).astype(np.float32)
    y = (y0 + cell_px * np.arange(shape[0]) - 0.5).astype(np.float32)
    map_x, map_y = np.meshgrid(x, y)
    mode = cv2.BORDER_REPLICATE if border is None else cv2.BORDER_CONSTANT
    value = 0.0 if border is None else border
    return np.asarray(
        cv2.remap(picture, map_x, map_y, cv2.INTER_LINEAR, borderMode=mode, borderValue=value), dtype=np.float32
    )


def _signed_distance(alpha: Float) -> Float:
    """Return the distance in pixels to the half-coverage outline; at the outline coverage gives the sub-pixel part."""
    padded = np.pad(alpha, 1)
    inside = padded >= 0.5
    within = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    beyond = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    distance = np.where(inside, within - 0.5, 0.5 - beyond)
    at_edge = np.abs(distance) < 1.0
    distance = np.where(at_edge & (np.abs(padded - 0.5) < 0.5), padded - 0.5, distance).astype(np.float32)
    even = cv2.GaussianBlur(distance, (0, 0), 0.8)
    kept = np.where(inside, np.maximum(even, 0.05), np.minimum(even, -0.05))  # no wire may be smoothed away
    return np.asarray(kept[1:-1, 1:-1], dtype=np.float32)


def _lift_ridges(sampled: Float, distance: Float, x0: float, y0: float, cell_px: float) -> Float:
    """Return the sampled distance with ridges that are thinner than a cell lifted above zero, so that wires survive."""
    shape = (sampled.shape[0], sampled.shape[1])
    near = sample_grid(_highest(distance, cell_px), x0, y0, cell_px, shape, border=-1e3)
    around = sample_grid(_highest(distance, 4 * cell_px), x0, y0, cell_px, shape, border=-1e3)
    thin = (near > 0) & (around < THIN_CELLS)
    return np.asarray(np.where(thin, np.maximum(sampled, THIN_CELLS / 2), sampled), dtype=np.float32)


def _highest(distance: Float, width_px: float) -> Float:
    side = max(1, round(width_px))
    return np.asarray(cv2.dilate(distance, np.ones((side, side), np.uint8)), dtype=np.float32)
