"""A part that the network lost leaves a convexity defect in the subject; background that came along sticks out of it.

So an uncertain region speaks for itself by its shape: does the subject fill more of its convex hull with it than
without? Only a clear yes counts. A no proves nothing (limbs stick out as well), and neither does a small change.
"""

from __future__ import annotations

import cv2
import numpy as np

from services.common.arrays import Alpha, BoolMask, Float

FAIRLY_SURE = 0.7  # alpha from which the subject's shape is known
SMALLEST = 0.002  # share of the picture below which a region changes no hull
BRIDGE_SHARE = 0.012  # of the long side: a soft band lies between a region and what is sure
NOISE = 0.02  # gain in filling that chance makes; all of 14 regions beyond 0.05 were subject, of the others half
WEIGHT = 10.0  # log odds per gain beyond `NOISE`: a tenth of the hull is worth 0.8
STRONGEST = 1.5  # log odds: contradicting colours still win


def convexity_evidence(alpha: Alpha, regions: BoolMask) -> Float:
    """Return how much each uncertain region speaks for the subject because it fills a convexity defect.

    Args:
        alpha: (H, W) float32 in [0, 1], the mask.
        regions: (H, W) bool, where it is unsure over an area.
    Returns:
        (H, W) float32 log odds in [0, `STRONGEST`], the same all over a connected region, 0 outside.

    A square that lost a quarter of itself gets it back more readily than a square gets a horn:

    >>> alpha = np.zeros((60, 60), dtype=np.float32)
    >>> alpha[10:40, 10:40], alpha[25:40, 25:40] = 1.0, 0.5
    >>> alpha[2:10, 22:28] = 0.5
    >>> evidence = convexity_evidence(alpha, alpha == 0.5)
    >>> bool(evidence[30, 30] > 0), float(evidence[5, 25])
    (True, 0.0)
    """
    evidence = np.zeros(regions.shape, dtype=np.float32)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(regions.astype(np.uint8), connectivity=4)
    large = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] >= SMALLEST * regions.size)
    for index in large[large > 0]:
        part = np.asarray(labels == index)
        gain = _filling_gain(alpha, part)
        evidence[part] = np.clip(WEIGHT * (gain - NOISE), 0.0, STRONGEST)
    return evidence


def _filling_gain(alpha: Alpha, part: BoolMask) -> float:
    """Return by how much the filling of the hull rises with `part`; 0 where no sure subject is near it."""
    reach = max(3, round(BRIDGE_SHARE * max(part.shape)))
    around = cv2.dilate(part.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0
    _, labels = cv2.connectedComponents(((alpha >= FAIRLY_SURE) & ~part).astype(np.uint8), connectivity=8)
    beside = np.unique(labels[around])
    body = np.isin(labels, beside[beside > 0])
    if not body.any():
        return 0.0
    bridge = around & (alpha > float(alpha[part].mean()))
    return _filling(body | part | bridge) - _filling(np.asarray(body))


def _filling(mask: BoolMask) -> float:
    """Return the share of its convex hull that `mask` fills."""
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    hull = cv2.contourArea(cv2.convexHull(np.vstack(outlines)))
    return float(np.count_nonzero(mask) / max(hull, 1.0))
