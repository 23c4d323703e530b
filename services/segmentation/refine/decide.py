"""Decide where the mask is unsure: pixel by pixel in the band along an outline, area by area in uncertain regions.

In a band the colour of a pixel is added, at half weight, to what the network said. An uncertain region, wider than an
edge, is a part the network could not place. There one pixel's colour says little, so evidence is first
averaged inside areas of one colour, a region that fills a convexity defect of the subject is the likelier part, and the
cut moves to where the expected IoU is best.
"""

from __future__ import annotations

import numpy as np

from services.common.arrays import Alpha, BoolMask, Float
from services.common.imaging.colour_evidence import LOCAL, WHOLE
from services.common.imaging.edge_aware import smooth_along_edges
from services.common.imaging.log_odds import from_log_odds, to_log_odds
from services.common.imaging.uncertain_regions import find_uncertain_regions
from services.segmentation.refine.convexity_defects import convexity_evidence
from services.segmentation.refine.refine_input import RefineInput

BAND_CLIP = 1.5  # log likelihood ratio beyond which a single pixel's colour is not believed more
BAND_WEIGHT = 0.5  # colour and network see the same pixels: half of the evidence is news
REGION_CLIP = 3.0  # the same as BAND_CLIP before averaging, where single pixels matter less
AREA_HOLD = 0.01  # how little a pixel holds on to its own evidence: areas of about 10 x 10 pixels speak as one
AREA_SIGMA = 10.0  # Lab distance within an area
HOLD = 0.3  # how strongly a decided pixel resists its neighbours; ten times less eats limbs
SHYNESS = 3.0  # networks say 0.5 of parts that are subject in 3 of 4 cases (measured on photos, scenes and mattes)


def decide(scene: RefineInput) -> Alpha:
    """Return the scene's alpha, moved by colour where it is unsure; thin parts are not smoothed.

    Returns:
        (H, W) float32 in [0, 1], equal to `scene.alpha` where that is sure.
    """
    unsure = scene.unsure
    evidence = np.clip(scene.evidence(unsure, whole=LOCAL), -BAND_CLIP, BAND_CLIP) * BAND_WEIGHT
    regions = find_uncertain_regions(unsure)
    if regions.any() and not scene.crisp:
        evidence = np.where(regions, _region_evidence(scene, regions), evidence)
    decided = np.where(unsure, from_log_odds(to_log_odds(scene.alpha) + evidence), scene.alpha)
    hold = np.asarray(HOLD * (2 * decided - 1) ** 2 + 1e-3, dtype=np.float32)
    smooth = smooth_along_edges(scene.lab, decided, unsure, hold)
    return np.asarray(np.where(scene.thin, decided, smooth), dtype=np.float32)


def expected_iou(alpha: Alpha) -> float:
    """Return the IoU that a cut at 0.5 would have if `alpha` were true probabilities."""
    kept = alpha >= 0.5
    either = np.count_nonzero(kept) + float(alpha[~kept].sum())
    return float(alpha[kept].sum()) / either if either else 1.0


def _region_evidence(scene: RefineInput, regions: BoolMask) -> Float:
    """Return (H, W) float32, log odds to add in uncertain regions.

    The cut with the best expected IoU J is J / (1 + J), below 0.5: in log odds a shift of -ln J, times `SHYNESS`.
    The colours count as far as the sure subject is large enough to know the subject's colours.
    """
    pixels = np.clip(scene.evidence(regions, whole=WHOLE), -REGION_CLIP, REGION_CLIP)
    hold = np.full(regions.shape, AREA_HOLD, dtype=np.float32)
    areas = _smooth_within(scene, pixels, regions, hold)
    weight = min(1.0, np.count_nonzero(scene.subject) / np.count_nonzero(regions))
    shift = -SHYNESS * np.log(max(0.3, expected_iou(scene.alpha)))
    return np.asarray(weight * areas + convexity_evidence(scene.alpha, regions) + shift, dtype=np.float32)


def _smooth_within(scene: RefineInput, values: Float, zone: BoolMask, hold: Float) -> Float:
    return smooth_along_edges(scene.lab, values, zone, hold, sigma=AREA_SIGMA, iterations=80)
