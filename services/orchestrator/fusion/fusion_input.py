"""What the local fusion looks at: photo, mask and depth at one working size."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from services.common.arrays import RGB, Alpha, BoolMask, Float
from services.common.imaging.colour_evidence import to_lab
from services.common.imaging.thin_parts import disc

CORE_SHARE = 0.01  # of the long side: depth maps blur steps over about this far, so no depth is read nearer to an edge


@dataclass(frozen=True)
class FusionInput:
    """Photo, mask and depth at working size.

    Args:
        rgb: (H, W, 3) uint8.
        alpha: (H, W) float32 in [0, 1].
        depth: (H, W) float32, inverse depth scaled to 0-1 between its 1st and 99th percentile; larger is nearer.
    """

    rgb: RGB
    alpha: Alpha
    depth: Float

    @cached_property
    def mask(self) -> BoolMask:
        """(H, W) bool: alpha cut at 0.5."""
        return np.asarray(self.alpha >= 0.5)

    @cached_property
    def reach(self) -> int:
        """`CORE_SHARE` in pixels, at least 2."""
        height, width = int(self.alpha.shape[0]), int(self.alpha.shape[1])
        return max(2, round(CORE_SHARE * max(height, width)))

    @cached_property
    def lab(self) -> npt.NDArray[np.uint8]:
        """(H, W, 3) uint8."""
        return to_lab(self.rgb)

    @cached_property
    def inner(self) -> BoolMask:
        """(H, W) bool: sure subject away from its outline."""
        return erode(self.alpha > 0.9, self.reach)

    @cached_property
    def outer(self) -> BoolMask:
        """(H, W) bool: sure background away from the outline."""
        return erode(self.alpha < 0.1, self.reach)


def erode(mask: BoolMask, radius: int) -> BoolMask:
    """Return `mask` without a rim of `radius` pixels; the picture's border is no rim."""
    return np.asarray(cv2.erode(mask.astype(np.uint8), disc(radius), borderValue=1) > 0)


def dilate(mask: BoolMask, radius: int) -> BoolMask:
    """Return `mask` grown by `radius` pixels."""
    return np.asarray(cv2.dilate(mask.astype(np.uint8), disc(radius)) > 0)


def local_mean(values: Float, where: BoolMask, sigma: float) -> tuple[Float, Float]:
    """Return Gaussian local means of `values` over `where`, and the local share of `where`, both (H, W) float32."""
    weight = where.astype(np.float32)
    share = cv2.GaussianBlur(weight, (0, 0), sigma)
    mean = cv2.GaussianBlur(values * weight, (0, 0), sigma) / np.maximum(share, 1e-6)
    return np.asarray(mean, dtype=np.float32), np.asarray(share, dtype=np.float32)
