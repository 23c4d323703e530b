"""Accept by boundary: a region may change sides only if the photo's edges agree with its new outline.

In an uncertain region both outlines can lie on edges, so there the areas' colours have the last word instead.
"""

from __future__ import annotations

import numpy as np

from services.common.arrays import Alpha
from services.common.imaging.uncertain_regions import find_uncertain_regions
from services.segmentation.refine.outline_contrast import outline_gain
from services.segmentation.refine.refine_input import RefineInput

WORSE = -0.1  # contrast gain below which a soft mask's change is taken back
BETTER = 0.0  # contrast gain that a hard mask's change needs: it was believed to be sure


def accept_by_boundary(scene: RefineInput, alpha: Alpha, *, clear: float) -> Alpha:
    """Return `alpha` where it changed sides to a better outline, and the mask as it came where to a worse one.

    Args:
        scene: the picture and the mask as it came.
        alpha: (H, W) float32 in [0, 1].
        clear: how far beyond 0.5 a change must go to count, 0.5 to 1.
    Returns:
        (H, W) float32; of a hard mask only such changes are kept, of a soft one also all that crossed nothing.
    """
    before, after = scene.given >= 0.5, alpha >= 0.5
    flipped = (before != after) & (np.abs(alpha - 0.5) >= clear - 0.5)
    gain = outline_gain(scene.lab, before, before ^ flipped)
    if scene.crisp:
        return np.where(flipped & (gain > BETTER), alpha, scene.given)
    worse = flipped & (gain < WORSE) & ~find_uncertain_regions(scene.unsure)
    return np.where(worse, scene.given, alpha)
