"""Let depth speak where the mask is unsure: each pixel against the sure subject and sure background near it.

    t = (d - dB) / (dF - dB),   evidence = (2t - 1) · how far dF and dB stand apart, in units of their spread

None where they are not apart (ground contact, a wall close behind), and none at thin parts, which are narrower than the
depth map's blur.
"""

from __future__ import annotations

import numpy as np

from services.common.arrays import Alpha, Float
from services.common.imaging.log_odds import from_log_odds, to_log_odds
from services.common.imaging.thin_parts import find_thin_parts
from services.orchestrator.fusion.fusion_input import FusionInput, local_mean

WINDOW = 3.0  # sigma of the local means, in units of the view's reach
APART = 0.05  # of the depth's range: less says nothing
BLUR_SHARE = 0.02  # radius, of the long side, below which a part is narrower than the depth map's blur
STRONGEST = 1.0  # log odds: depth edges are blurred, so depth alone turns no pixel beyond 0.27 and 0.73


def depth_evidence(view: FusionInput) -> Float:
    """Return (H, W) float32 log odds for the subject, 0 where depth has nothing to say."""
    near, has_near = local_mean(view.depth, view.inner, WINDOW * view.reach)
    far, has_far = local_mean(view.depth, view.outer, WINDOW * view.reach)
    near_square, _ = local_mean(view.depth**2, view.inner, WINDOW * view.reach)
    far_square, _ = local_mean(view.depth**2, view.outer, WINDOW * view.reach)
    spread = np.sqrt(np.maximum(near_square - near**2, 0) + np.maximum(far_square - far**2, 0)) + 0.02
    gap = near - far
    t = np.clip((view.depth - far) / np.where(np.abs(gap) < 1e-3, 1e-3, gap), 0.0, 1.0)
    weight = np.clip(gap / spread / 3.0, 0.0, 1.0)
    speaks = (gap > APART) & (has_near > 0.02) & (has_far > 0.02) & ~find_thin_parts(view.mask, BLUR_SHARE)
    return np.asarray(np.where(speaks, STRONGEST * weight * (2 * t - 1), 0.0), dtype=np.float32)


def weigh_unsure(view: FusionInput, alpha: Alpha) -> Alpha:
    """Return `alpha` with depth's evidence added where `alpha` is between 0.1 and 0.9."""
    unsure = (alpha > 0.1) & (alpha < 0.9)
    moved = from_log_odds(to_log_odds(alpha) + depth_evidence(view))
    return np.asarray(np.where(unsure, moved, alpha), dtype=np.float32)
