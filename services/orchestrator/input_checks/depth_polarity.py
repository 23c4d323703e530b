"""Is a depth map the wrong way round? Held against the mask: a subject stands before its surroundings.

A network that answers depth (larger is farther) where inverse depth was promised turns every picture inside out, and
fusion can only leave such a map aside. One sentence about the setting behind it helps more.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from services.common.arrays import Alpha, BoolMask, Float, InverseDepth

LONG_SIDE_PX = 192  # enough for a statistic over an outline
RIM_SHARE = 0.02  # of the long side: how far from the outline depth is read; maps blur steps over about half of it
STEP = 0.02  # of the depth's range: a difference that noise and slope do not make
# Share of the outline where the subject lies behind. Measured on 25 scenes with exact masks: right maps at most 0.10,
# negated ones 0.54 and more, 1 / value above 0.5 in 23 (the others lie flat, or the sky takes up their range).
FARTHER_SHARE = 0.5
CONTRADICTED = 5.0  # it lies behind this many times as often as before
LEAST_OUTLINE_PX = 40  # a shorter one says nothing


def polarity_warning(backend: str, depth: InverseDepth, alpha: Alpha) -> str:
    """Return one sentence where a network of the user's own seems to be set the wrong way round, else nothing.

    Args:
        backend: name of the depth backend; the built-in ones are known to be right.
        depth: as in `looks_inverted`.
        alpha: as in `looks_inverted`.
    """
    if not backend.startswith("onnx:") or not looks_inverted(depth, alpha):
        return ""
    return (
        f"depth by {backend} puts the subject behind its surroundings, as if far and near were mixed up; "
        "turn over `near=` in the backend's name (large: larger values are nearer, small: farther)"
    )


def looks_inverted(depth: InverseDepth, alpha: Alpha) -> bool:
    """Tell whether `depth` puts the subject behind its surroundings along most of its outline.

    Args:
        depth: (H, W) float32, supposed to be larger where nearer.
        alpha: (H, W) float32 in [0, 1], of the segmentation, not of anything that has seen this depth.

    >>> y, x = np.mgrid[:120, :160]
    >>> disc = (np.hypot(x - 70, y - 60) < 30).astype(np.float32)
    >>> looks_inverted(0.2 + 0.7 * disc, disc), looks_inverted(0.9 - 0.7 * disc, disc)
    (False, True)
    """
    before, behind = outline_shares(depth, alpha)
    return behind >= FARTHER_SHARE and behind >= CONTRADICTED * before


def outline_shares(depth: InverseDepth, alpha: Alpha) -> tuple[float, float]:
    """Return the shares of the outline along which the subject stands before, and lies behind, its surroundings."""
    scale = min(1.0, LONG_SIDE_PX / max(depth.shape))
    size = (max(1, round(depth.shape[1] * scale)), max(1, round(depth.shape[0] * scale)))
    small = np.asarray(cv2.resize(depth, size, interpolation=cv2.INTER_AREA), dtype=np.float32)
    opacity = np.asarray(cv2.resize(alpha, size, interpolation=cv2.INTER_AREA), dtype=np.float32)
    low, high = np.percentile(small, (1, 99))
    if high <= low:
        return 0.0, 0.0
    mask = opacity >= 0.5
    rim = max(2, round(RIM_SHARE * max(size)))
    inside, has_inside = _mean_near(small, opacity > 0.9, rim)
    outside, has_outside = _mean_near(small, opacity < 0.1, rim)
    outline = mask & ~_eroded(mask) & has_inside & has_outside
    if np.count_nonzero(outline) < LEAST_OUTLINE_PX:
        return 0.0, 0.0
    steps = (inside - outside)[outline] / (high - low)
    return float(np.mean(steps > STEP)), float(np.mean(steps < -STEP))


def _mean_near(values: Float, where: BoolMask, sigma_px: float) -> tuple[Float, BoolMask]:
    """Return the mean of `values` over `where` round each pixel, and whether there is enough of it."""
    weight = _blurred(where.astype(np.float32), sigma_px)
    mean = _blurred(np.where(where, values, 0).astype(np.float32), sigma_px) / np.maximum(weight, 1e-6)
    return np.asarray(mean, dtype=np.float32), np.asarray(weight > 0.02)


def _blurred(values: npt.NDArray[np.float32], sigma_px: float) -> Float:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma_px), dtype=np.float32)


def _eroded(mask: BoolMask) -> BoolMask:
    return np.asarray(cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1) > 0)
