"""How good a mask is, measured against the exact one.

iou          of both masks cut at 0.5                                                   1 is best
boundary_iou the same within 2 % of the diagonal inside each outline (Cheng et al. 2021) 1
boundary_f   F of the outlines within 2 px at width 768                                 1
mae          mean absolute difference of the soft masks                                 0
sad          sum of absolute differences / 1000                                         0
sad_band     the same near the true outline only                                        0
gradient     squared differences of the gradient magnitudes / 1000 (sigma 1.4)          0
leak         background taken as subject, in areas of the true subject                  0
missing      subject lost, in areas of the true subject                                 0
holes_kept   share of the true holes' area that is still background; None without holes 1
thin_kept    share of the true thin parts that is still subject; None without any       1
"""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from services.common.arrays import BoolMask
from services.common.imaging.thin_parts import disc

Soft: TypeAlias = npt.NDArray[np.float64]
"""(H, W) float64 in [0, 1]: alpha, in double precision so that sums over megapixels stay exact."""

Metrics: TypeAlias = dict[str, float | None]
"""Figures by name; None where a figure has no meaning for an item."""

HIGHER_IS_BETTER = frozenset({"iou", "boundary_iou", "boundary_f", "holes_kept", "thin_kept"})
TOLERANCE_PX_AT_768 = 2.0
BOUNDARY_OF_DIAGONAL = 0.02  # Cheng et al. 2021, section 4
BAND_PX_AT_768 = 8.0
THIN_OF_LONG_SIDE = 0.012  # a part is thin where a disc of this diameter does not fit
LEAST_SHARE = 0.002  # of the subject: smaller holes and thin parts are too few pixels to judge


def score_mask(truth: Soft, guess: Soft) -> Metrics:
    """Return all figures; a guess of another size is brought to that of the truth, bilinearly.

    Args:
        truth: (H, W) in [0, 1].
        guess: (h, w) in [0, 1].
    """
    guess = _resize(guess, truth.shape)
    exact, found = np.asarray(truth >= 0.5), np.asarray(guess >= 0.5)
    area = max(int(np.count_nonzero(exact)), 1)
    difference = np.abs(truth - guess)
    return {
        "iou": iou(exact, found),
        "boundary_iou": boundary_iou(exact, found),
        "boundary_f": boundary_f(exact, found),
        "mae": float(difference.mean()),
        "sad": float(difference.sum() / 1000.0),
        "sad_band": float(difference[_band(truth)].sum() / 1000.0),
        "gradient": _gradient_error(truth, guess),
        "leak": float(np.count_nonzero(found & ~exact) / area),
        "missing": float(np.count_nonzero(exact & ~found) / area),
        "holes_kept": _share_kept(find_holes(exact), ~found, area),
        "thin_kept": _share_kept(find_thin(exact), found, area),
    }


def iou(a: BoolMask, b: BoolMask) -> float:
    """Return the overlap of two masks as a share of their union; 1 for two empty ones."""
    either = np.count_nonzero(a | b)
    return 1.0 if either == 0 else float(np.count_nonzero(a & b) / either)


def boundary_iou(exact: BoolMask, found: BoolMask) -> float:
    """Return the IoU of the two masks' inner rims, 2 % of the diagonal wide; the picture's border is an outline too.

    Source: Cheng, Girshick, Dollár, Berg, Kirillov, Boundary IoU, CVPR 2021, equation 2, and its code (square erosion).
    """
    width = max(1, round(BOUNDARY_OF_DIAGONAL * float(np.hypot(*exact.shape))))
    return iou(_rim(exact, width), _rim(found, width))


def boundary_f(exact: BoolMask, found: BoolMask) -> float:
    """Return the harmonic mean of the shares of each outline that lie near the other one."""
    a, b = _outline(exact), _outline(found)
    if not a.any() or not b.any():
        return 1.0 if a.any() == b.any() else 0.0
    reach = max(1.0, TOLERANCE_PX_AT_768 * exact.shape[1] / 768.0)
    precision = float(np.mean(ndimage.distance_transform_edt(~a)[b] <= reach))
    recall = float(np.mean(ndimage.distance_transform_edt(~b)[a] <= reach))
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


def find_holes(exact: BoolMask) -> BoolMask:
    """Return the background that the subject encloses: what is seen through it."""
    return np.asarray(ndimage.binary_fill_holes(exact) & ~exact)


def find_thin(exact: BoolMask) -> BoolMask:
    """Return the subject's parts in which a small disc does not fit: wires, legs, spokes."""
    radius = max(1, round(THIN_OF_LONG_SIDE * max(exact.shape) / 2))
    opened = cv2.morphologyEx(exact.astype(np.uint8), cv2.MORPH_OPEN, disc(radius))
    thin = np.asarray(exact & (opened == 0), dtype=np.uint8)
    # Rounded-off corners are not thin parts: a thin part is longer than the disc is wide.
    _, labels, stats, _ = cv2.connectedComponentsWithStats(thin, connectivity=8)
    length = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    keeps = length > 3 * radius
    keeps[0] = False
    return np.asarray(keeps[labels])


def _rim(mask: BoolMask, width: int) -> BoolMask:
    padded = np.pad(mask, 1).astype(np.uint8)
    inner = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=width)[1:-1, 1:-1]
    return np.asarray(mask & (inner == 0))


def _outline(mask: BoolMask) -> BoolMask:
    return np.asarray(mask & ~ndimage.binary_erosion(mask, border_value=1))


def _band(truth: Soft) -> BoolMask:
    """Where the exact alpha is soft or has its outline, grown by a few pixels."""
    soft = (truth > 0.02) & (truth < 0.98)
    reach = max(1.0, BAND_PX_AT_768 * truth.shape[1] / 768.0)
    edge = soft | _outline(np.asarray(truth >= 0.5))
    return np.asarray(ndimage.distance_transform_edt(~edge) <= reach) if edge.any() else edge


def _gradient_error(truth: Soft, guess: Soft, sigma: float = 1.4) -> float:
    a = ndimage.gaussian_gradient_magnitude(truth, sigma)
    b = ndimage.gaussian_gradient_magnitude(guess, sigma)
    return float(np.sum((a - b) ** 2) / 1000.0)


def _share_kept(wanted: BoolMask, kept: BoolMask, subject_area: int) -> float | None:
    count = int(np.count_nonzero(wanted))
    return float(np.count_nonzero(wanted & kept) / count) if count >= LEAST_SHARE * subject_area and count else None


def _resize(values: Soft, shape: tuple[int, ...]) -> Soft:
    if values.shape == shape:
        return values
    from PIL import Image

    picture = Image.fromarray(values.astype(np.float32))
    return np.asarray(picture.resize((shape[1], shape[0]), Image.Resampling.BILINEAR), dtype=np.float64)
