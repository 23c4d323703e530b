"""How well a depth map shows where one thing ends before another.

A boundary is a jump of the depth within a few pixels. Found ones count as right near a true one, true ones as found
near a right one; F1 is their harmonic mean, averaged over several least jumps.
Source: in the manner of A. Bochkovskii et al., Depth Pro, 2024, section 3.2 (there by ratios of depth; here by
differences of inverse depth, whose shift a relative network leaves open).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from services.common.arrays import BoolMask, Float


@dataclass(frozen=True)
class BoundaryOptions:
    """What a boundary is.

    Args:
        reach_px: a jump happens within this many pixels.
        jumps: least jumps, shares of the truth's range.
        tolerance_px: how far a boundary may be off.
    """

    reach_px: int = 3
    jumps: tuple[float, ...] = (0.05, 0.1, 0.2)
    tolerance_px: int = 2


def boundary_f1(found: Float, truth: Float, options: BoundaryOptions) -> float:
    """Return F1 in [0, 1], the mean over the least jumps at which the truth has boundaries; 1 where it has none.

    Args:
        found: (H, W) float32, already in the truth's scale and shift.
        truth: (H, W) float32.
        options: what a boundary is.
    """
    size = float(np.percentile(truth, 99.5) - np.percentile(truth, 0.5))
    scores = []
    for jump in options.jumps:
        true = boundaries(truth, options.reach_px, jump * size)
        if true.any():
            said = boundaries(found, options.reach_px, jump * size)
            scores.append(_f1(said, true, options.tolerance_px))
    return float(np.mean(scores)) if scores else 1.0


def boundaries(depth: Float, reach_px: int, jump: float) -> BoolMask:
    """Return (H, W) bool: where depth jumps by `jump` within `reach_px`, thinned to where it jumps most."""
    found = np.zeros(depth.shape, dtype=bool)
    for axis in (0, 1):
        rise = np.abs(_rise(depth, axis, reach_px))
        size = [1, 1]
        size[axis] = 2 * reach_px + 1
        found |= (rise >= jump) & (rise >= ndimage.maximum_filter(rise, size, mode="nearest"))
    return found


def _rise(depth: Float, axis: int, reach_px: int) -> Float:
    """(H, W): the change over `reach_px` pixels centred at each pixel."""
    ahead, behind = reach_px - reach_px // 2, reach_px // 2
    padding = [(0, 0), (0, 0)]
    padding[axis] = (behind, ahead)
    padded = np.pad(depth, padding, mode="edge")
    length = depth.shape[axis]
    later = np.take(padded, np.arange(length) + reach_px, axis)
    return np.asarray(later - np.take(padded, np.arange(length), axis), dtype=np.float32)


def _f1(said: BoolMask, true: BoolMask, tolerance_px: int) -> float:
    if not said.any():
        return 0.0
    precision = float(np.mean(_distance(true)[said] <= tolerance_px))
    recall = float(np.mean(_distance(said)[true] <= tolerance_px))
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _distance(mask: BoolMask) -> Float:
    return np.asarray(ndimage.distance_transform_edt(~mask), dtype=np.float32)
