"""Whether an inverse depth map is of use for this subject.

A map that belongs to the picture steps where the subject ends, and steps down: the subject stands before what is behind
it. A constant map has no step, an inverted one steps up, one of another photo steps anywhere. A plate on a table is the
exception: hardly a step, but a plane nearly as even as the table.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from services.common.arrays import BoolMask, Float, InverseDepth
from services.mesher.depth_guidance.planarity import is_planar
from services.mesher.geometry.camera import Camera
from services.mesher.geometry.subject_mask import long_side

RIM_SHARE = 0.02  # of the subject's long side: the band round the outline in which a map makes its step
STEP = 0.02  # of the subject's inverse depth: a smaller difference across the outline is none
# Measured on 25 scenes: own maps 0.62 and 3.5 or more (the plate 0.61 and 0.8), foreign ones 0.60 and 2.5 or less.
MIN_STEP_DOWN = 0.4  # share of the outline that steps down, less the share that steps up
MIN_STEEPER = 2.7  # steepness of the map at the outline over that elsewhere


@dataclass(frozen=True)
class _OutlineStep:
    """How a depth map behaves across a subject's outline.

    Attributes:
        down: share of the outline where the subject is nearer than what is beside it.
        up: share where it is farther.
        steeper: steepness within the band round the outline over that elsewhere.
    """

    down: float
    up: float
    steeper: float


def is_depth_valid(depth: InverseDepth, mask: BoolMask, camera: Camera) -> bool:
    """Return whether the map belongs to this subject and is the right way round.

    Args:
        depth: (H, W) float32, larger is nearer, NaN where unseen.
        mask: (H, W) bool, the subject.
        camera: of the frame.
    """
    known = mask & np.isfinite(depth)
    if np.count_nonzero(known) < max(16, 0.5 * np.count_nonzero(mask)):
        return False
    inside = depth[known]
    median = float(np.median(inside))
    if median <= 0 or float(np.ptp(inside)) < 1e-3 * median:
        return False
    step = _measure_step(depth, mask)
    if step is None:
        return float(np.ptp(np.percentile(inside, [3, 97]))) > STEP * median  # the subject fills the frame: trust it
    if step.down - step.up < MIN_STEP_DOWN:
        return False
    return step.steeper >= MIN_STEEPER or (step.up <= STEP and is_planar(depth, mask, camera))


def _measure_step(depth: InverseDepth, mask: BoolMask) -> _OutlineStep | None:
    """Return the step across the outline, or None where nothing is seen outside it."""
    known = np.isfinite(depth)
    band = RIM_SHARE * long_side(mask)
    inner = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    outer = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    seen = np.where(known, depth, 0).astype(np.float32)
    within, within_share = _mean_nearby(seen, mask & known & (inner > band) & (inner < 3 * band), band)
    beyond, beyond_share = _mean_nearby(seen, ~mask & known & (outer > band) & (outer < 3 * band), band)
    rim = mask & (inner <= 1.5) & (within_share > 0.02) & (beyond_share > 0.02)
    if np.count_nonzero(rim) < 16:
        return None
    median = abs(float(np.median(depth[mask & known])))
    step = (within - beyond)[rim] / max(median, 1e-9)

    filled = np.where(known, depth, np.median(depth[known])).astype(np.float32)
    slope = np.hypot(cv2.Sobel(filled, cv2.CV_32F, 1, 0), cv2.Sobel(filled, cv2.CV_32F, 0, 1))
    solid = cv2.erode(known.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    near = (mask & (inner <= band)) | (~mask & (outer <= band))
    at_rim, elsewhere = slope[near & solid], slope[~near & solid]
    steeper = float(at_rim.mean()) / max(float(elsewhere.mean()), 1e-9) if at_rim.size and elsewhere.size else 0.0
    return _OutlineStep(float(np.mean(step > STEP)), float(np.mean(step < -STEP)), steeper)


def _mean_nearby(values: Float, chosen: BoolMask, band: float) -> tuple[Float, Float]:
    """Return the mean of the chosen pixels round each pixel, and how much of its surroundings they are."""
    share = cv2.GaussianBlur(chosen.astype(np.float32), (0, 0), 1.5 * band)
    total = cv2.GaussianBlur(np.where(chosen, values, 0).astype(np.float32), (0, 0), 1.5 * band)
    return np.asarray(total / np.maximum(share, 1e-6), dtype=np.float32), np.asarray(share, dtype=np.float32)
