"""Split the mask where its depth jumps, and judge the regions against the one that is surely the subject.

A region of the mask that lies behind the subject across a sharp step is something else: an object behind it, or what is
seen through a window. Two things keep a region whatever its depth: a connection through anything longer than a depth
edge is wide (the arm between a lamp's head and its base), and the subject's own colours.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from services.common.arrays import BoolMask, Float
from services.common.imaging.colour_evidence import WHOLE, colour_evidence
from services.orchestrator.fusion.fusion_input import FusionInput, dilate

STEP = 0.05  # of the depth's range within 5 pixels: more than slopes and noise of a depth map make
NOISE_STEPS = 6.0  # times the depth's own noise, where that is more
SMALLEST = 0.002  # share of the picture: depth cannot be read from less
COMPACT = 0.2  # share of a region that its inscribed disc makes up: a strip along an edge is blur, not a region
CONTACT = 4  # in units of the view's reach: how far across a step two regions still touch
OTHER_COLOURS = -0.5  # mean log likelihood ratio below which a region has the background's colours
LARGEST = 1 / 3  # share of the subject: so large a part is no leak, and losing it would cost more than keeping it
ALIEN_COLOURS = -2.0  # below which a small region that touches nothing thick goes by colour and depth range alone
ALIEN_LARGEST = 0.1  # its largest size, share of the subject
OWN_COLOURS = 1.0  # above which it has the subject's


@dataclass(frozen=True)
class RegionVerdict:
    """What became of the mask's regions.

    Args:
        kept: (H, W) bool, cores of regions that belong to the subject.
        rejected: (H, W) bool, cores of regions that do not.
    """

    kept: BoolMask
    rejected: BoolMask


def step_limit(view: FusionInput) -> float:
    """Return the range of depth in 5 x 5 pixels that counts as a step in this map."""
    curvature = np.abs(cv2.Laplacian(view.depth, cv2.CV_32F))
    noise = float(np.median(curvature[view.mask])) if view.mask.any() else 0.0
    return max(STEP, NOISE_STEPS * noise)


def find_cores(
    view: FusionInput, region: BoolMask, limit: float
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Return labels (H, W) int32 and areas (n,) of the parts of `region` without a depth step; label 0 is no part."""
    kernel = np.ones((5, 5), np.uint8)
    highest = cv2.dilate(np.where(region, view.depth, np.float32(-1)), kernel)
    lowest = cv2.erode(np.where(region, view.depth, np.float32(2)), kernel)
    level = region & (highest - lowest < limit)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(level.astype(np.uint8), connectivity=4)
    area = stats[:, cv2.CC_STAT_AREA].astype(np.int64)
    area[0] = 0
    return np.asarray(labels, dtype=np.int32), area


def judge_regions(view: FusionInput) -> RegionVerdict:
    """Return which parts of the mask belong to its largest part, by depth, contact and colour."""
    limit = step_limit(view)
    labels, area = find_cores(view, view.mask, limit)
    rejected = np.zeros(view.mask.shape, dtype=np.bool_)
    candidates = [i for i in np.argsort(-area) if area[i] >= SMALLEST * view.mask.size]
    if len(candidates) < 2:
        return RegionVerdict(labels > 0, rejected)
    subject = labels == candidates[0]
    evidence = _colours_against(view, subject, np.isin(labels, candidates[1:]))
    for index in candidates[1:]:
        region = labels == index
        if not is_compact(region):
            continue
        if _is_other(view, region, np.asarray(subject), float(evidence[region].mean()), limit):
            rejected |= region
        else:
            subject = subject | region
    return RegionVerdict((labels > 0) & ~rejected, rejected)


def is_compact(region: BoolMask) -> bool:
    """Return whether the inscribed disc makes up at least `COMPACT` of the region."""
    framed = np.pad(region.astype(np.uint8), 1)
    radius = float(cv2.distanceTransform(framed, cv2.DIST_L2, 5).max())
    return bool(np.pi * radius**2 >= COMPACT * np.count_nonzero(region))


def _colours_against(view: FusionInput, subject: BoolMask, query: BoolMask) -> Float:
    return colour_evidence(view.lab, subject & (view.alpha > 0.9), view.outer, query, whole=WHOLE)


def _is_other(view: FusionInput, region: BoolMask, subject: BoolMask, colours: float, limit: float) -> bool:
    size = float(np.count_nonzero(region) / np.count_nonzero(subject))
    if colours > OWN_COLOURS or size > LARGEST:
        return False
    low, high = (float(v) for v in np.percentile(view.depth[subject], [3, 97]))
    margin = 0.5 * (high - low)
    median = float(np.median(view.depth[region]))
    jump = _jump(view, region, subject)
    if jump is None:
        return colours < ALIEN_COLOURS and size < ALIEN_LARGEST and median < low - margin
    if abs(jump) < 1.5 * limit:
        return False
    if jump > 0:  # the region lies behind
        return colours < OTHER_COLOURS or median < low - margin
    return colours < OTHER_COLOURS and median > high + margin


def _jump(view: FusionInput, region: BoolMask, subject: BoolMask) -> float | None:
    """Return how much nearer the subject is where both touch; None if they do not touch.

    Touching means: a path inside the mask, not longer than a depth edge is wide.
    """
    path = _grow_within(region, view.mask, CONTACT * view.reach)
    if not (path & subject).any():
        return None
    subject_side = path & subject
    region_side = _grow_within(np.asarray(subject_side), view.mask, 2 * CONTACT * view.reach) & region
    if not region_side.any():
        return None
    return float(np.median(view.depth[subject_side]) - np.median(view.depth[region_side]))


def _grow_within(seed: BoolMask, region: BoolMask, steps: int) -> BoolMask:
    """Return what can be reached from `seed` inside `region` by about `steps` pixels."""
    grown = seed
    for _ in range(max(1, steps // 3)):
        grown = dilate(grown, 3) & region
    return grown
