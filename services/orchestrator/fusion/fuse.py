"""Mask and depth become one mask.

    assess depth → decide doubtful parts → reject regions behind steps → restore missing parts → weigh unsure pixels

Depth is an improvement, never a condition: a map that says nothing, or contradicts the mask along its outline, leaves
the mask bit for bit as it came.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from services.common.arrays import RGB, Alpha, BoolMask, Float, InverseDepth
from services.common.errors import InvalidImage
from services.common.imaging.working_size import apply_change, shrink_to
from services.orchestrator.fusion.band import weigh_unsure
from services.orchestrator.fusion.depth_cut import NO_SPREAD, depth_mask
from services.orchestrator.fusion.depth_reliability import why_unreliable
from services.orchestrator.fusion.doubtful_parts import decide_doubtful_parts
from services.orchestrator.fusion.fusion_input import FusionInput
from services.orchestrator.fusion.fusion_options import FusionOptions
from services.orchestrator.fusion.missing_parts import restore_missing_parts
from services.orchestrator.fusion.regions import judge_regions
from services.orchestrator.fusion.rejected_regions import remove_rejected

WORKING_SIDE = 640  # pixels; depth maps are no sharper than this
UNSURE = (0.1, 0.9)  # alpha between which "depth_guided" asks the depth
RUNAWAY = 0.5  # IoU with the mask below which what depth made of it is not believed


@dataclass(frozen=True)
class Fused:
    """What became of mask and depth.

    Args:
        alpha: (H, W) float32 in [0, 1].
        depth_mask: (H, W) bool, the global cut, for inspection; None without depth.
        agreement: IoU of the mask and the depth mask, 0 without depth.
        confidence: 0 to 1: mean certainty of `alpha` where the subject is.
        used_depth: whether depth had a say.
        note: one sentence about what depth did, or why it did nothing.
    """

    alpha: Alpha
    depth_mask: BoolMask | None
    agreement: float
    confidence: float
    used_depth: bool
    note: str


def fuse(rgb: RGB, alpha: Alpha, depth: InverseDepth | None, options: FusionOptions) -> Fused:
    """Return one mask from a segmentation mask and a depth map.

    Args:
        rgb: (H, W, 3) uint8.
        alpha: (H, W) float32 in [0, 1], raw or refined; softness where it is unsure is what depth can settle.
        depth: relative inverse depth, larger is nearer, of any size; or None.
        options: how.
    Raises:
        InvalidImage: photo and mask differ in size.

    >>> y, x = np.mgrid[:120, :160]
    >>> disc, leak = np.hypot(x - 70, y - 60) < 30, np.hypot(x - 110, y - 60) < 15
    >>> rgb = np.where(disc[..., None], (200, 40, 40), (60, 120, 60)).astype(np.uint8)
    >>> depth = np.where(disc, 0.9, 0.2).astype(np.float32)
    >>> fused = fuse(rgb, (disc | leak).astype(np.float32), depth, FusionOptions())
    >>> fused.note, float(np.mean(fused.alpha[leak & ~disc] >= 0.5))
    ('depth removed 3.33% of the picture and added 0.00%', 0.0)
    """
    if rgb.shape[:2] != alpha.shape:
        (h, w), (mh, mw) = rgb.shape[:2], alpha.shape
        raise InvalidImage(f"the mask is {mw} × {mh} px, the photo {w} × {h} px; they must be of one size")
    if depth is None:
        return _unchanged(alpha, None, "no depth")
    if depth.shape != alpha.shape:
        depth = np.asarray(
            cv2.resize(depth, (alpha.shape[1], alpha.shape[0]), interpolation=cv2.INTER_LINEAR), dtype=np.float32
        )
    if options.strategy == "segmentation":
        return _unchanged(alpha, depth_mask(depth, options), "depth was not asked")
    scaled = _scale(depth)
    if scaled is None:
        return _unchanged(alpha, None, "depth has no spread or is not finite")
    near = depth_mask(depth, options)
    if options.strategy == "auto":
        fused, note = _fuse_locally(rgb, alpha, scaled)
        return _result(fused, near, alpha, note, used=fused is not alpha)
    return _result(_fuse_globally(alpha, near, options), near, alpha, f"one global cut, {options.strategy}", used=True)


def _scale(depth: InverseDepth) -> Float | None:
    """Return `depth` between its 1st and 99th percentile as 0-1; None without spread or with non-finite values."""
    if not np.isfinite(depth).all():
        return None
    low, high = np.percentile(depth, [1, 99])
    if high - low <= NO_SPREAD * max(abs(low), abs(high), 1e-30):
        return None
    return np.asarray(np.clip((depth - low) / (high - low), 0.0, 1.0), dtype=np.float32)


def _fuse_locally(rgb: RGB, alpha: Alpha, depth: Float) -> tuple[Alpha, str]:
    """Return the fused mask (`alpha` itself if depth is not reliable) and what happened."""
    small = shrink_to(alpha, WORKING_SIDE)
    view = FusionInput(shrink_to(rgb, WORKING_SIDE), small, shrink_to(depth, WORKING_SIDE))
    if not (view.mask.any() and view.inner.any() and view.outer.any()):
        return alpha, "the mask has no sure subject or no sure background"
    if reason := why_unreliable(view):
        return alpha, reason
    decided = replace(view, alpha=decide_doubtful_parts(view))
    separated = remove_rejected(decided, judge_regions(decided))
    cleaned = replace(view, alpha=separated)
    restored = restore_missing_parts(cleaned, separated)
    weighed = weigh_unsure(replace(view, alpha=restored), restored)
    kept = np.count_nonzero((weighed >= 0.5) & view.mask)
    if kept < RUNAWAY * np.count_nonzero((weighed >= 0.5) | view.mask):
        return alpha, "depth contradicts the mask as a whole"
    removed = float(np.mean(view.mask & (weighed < 0.5)))
    added = float(np.mean(~view.mask & (weighed >= 0.5)))
    return apply_change(alpha, small, weighed), f"depth removed {removed:.2%} of the picture and added {added:.2%}"


def _fuse_globally(alpha: Alpha, near: BoolMask, options: FusionOptions) -> Alpha:
    cut = near.astype(np.float32)
    if options.strategy == "intersection":
        return np.minimum(alpha, cut)
    if options.strategy == "union":
        return np.maximum(alpha, cut)
    unsure = (alpha > UNSURE[0]) & (alpha < UNSURE[1])
    return np.where(unsure, np.float32(0.5) * (alpha + cut), alpha)


def _result(fused: Alpha, near: BoolMask, alpha: Alpha, note: str, *, used: bool) -> Fused:
    mask = alpha >= 0.5
    either = np.count_nonzero(mask | near)
    agreement = np.count_nonzero(mask & near) / either if either else 1.0
    return Fused(fused, near, float(agreement), _confidence(fused), used, note)


def _unchanged(alpha: Alpha, near: BoolMask | None, note: str) -> Fused:
    if near is None:
        return Fused(alpha, None, 0.0, _confidence(alpha), False, note)
    return _result(alpha, near, alpha, note, used=False)


def _confidence(alpha: Alpha) -> float:
    """Return the mean of |2a - 1|, weighted by how much each pixel is or may be subject."""
    weight = float(alpha.sum())
    return float((np.abs(2 * alpha - 1) * alpha).sum() / weight) if weight > 0 else 0.0
