"""The last step: an outline without jaggies, at the place where it was. Thin parts keep their value."""

from __future__ import annotations

import cv2
import numpy as np

from services.common.arrays import Alpha
from services.segmentation.refine.refine_input import RefineInput


def smooth_outline(scene: RefineInput, alpha: Alpha, blur_size: int) -> Alpha:
    """Return `alpha` blurred where it is unsure and not thin.

    A Gaussian moves a straight outline not at all and a corner by less than its sigma; where it would shrink
    something thin it is not used.

    Args:
        scene: the picture and the mask as it came.
        alpha: (H, W) float32 in [0, 1].
        blur_size: odd, pixels; OpenCV's sigma for it is 0.8, 1.1 or 1.4.
    """
    blurred = cv2.GaussianBlur(alpha, (blur_size, blur_size), 0)
    return np.asarray(np.where(scene.unsure & ~scene.thin, blurred, alpha), dtype=np.float32)
