"""Align one depth map to another that knows the scale: a scale and a shift for the whole, then slowly varying ones.

Convention: relative inverse depth, larger is nearer; each map has a scale and shift of its own.
Source of the local fit: K. He, J. Sun, X. Tang, Guided image filtering, 2010, equations 5, 6 and 8, where the guide is
the sharp map and what is fitted is the coarse one. Both are read at the coarse one's resolution: a blurred step against
a sharp one would be fitted too low.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from services.common.arrays import Float, InverseDepth

_ROUNDS = 5  # of the robust fit; it settles in three
_OUTLIER = 2.5  # times the usual residual: what lies further counts less
_FLAT_SHARE = 0.01  # of the reference's range: structure below this is noise, and scales nothing
_FIT_PX = 192  # long side at which the local fit is computed: it varies slowly


def fit_scale_and_shift(values: Float, reference: Float) -> tuple[float, float]:
    """Return (scale, shift) that bring `values` to `reference`, least squares with outliers turned down (Huber).

    Args:
        values: (n, ...) float32.
        reference: of the same shape.
    Returns:
        The scale is never negative: a map that contradicts the reference gets 0, and the reference's mean as shift.

    >>> values = np.arange(10, dtype=np.float32)
    >>> fit_scale_and_shift(values, 3 * values + 1)
    (3.0, 1.0)
    >>> fit_scale_and_shift(values, -values)
    (0.0, -4.5)
    """
    x, y = values.ravel().astype(np.float64), reference.ravel().astype(np.float64)
    weights = np.ones_like(x)
    scale, shift = 0.0, float(y.mean())
    for _ in range(_ROUNDS):
        total = weights.sum()
        mean_x, mean_y = float(weights @ x / total), float(weights @ y / total)
        spread = float(weights @ (x - mean_x) ** 2)
        scale = max(float(weights @ ((x - mean_x) * (y - mean_y))) / spread, 0.0) if spread > 0 else 0.0
        shift = mean_y - scale * mean_x
        residual = np.abs(y - scale * x - shift)
        limit = _OUTLIER * float(np.median(residual))
        if limit == 0:
            break
        weights = np.minimum(1.0, limit / np.maximum(residual, limit))
    return scale, shift


def align_locally(sharp: InverseDepth, coarse: InverseDepth, window_px: float, blur_px: float) -> InverseDepth:
    """Return `sharp` with the values of `coarse`: its own edges, the other's slow changes.

    Where the two do not rise and fall together, `coarse` is what comes back.

    Args:
        sharp: (H, W) float32.
        coarse: (H, W) float32, of the same place.
        window_px: (standard deviation of a Gaussian) over which scale and shift may change; several times `blur_px`.
        blur_px: (the same) how much blurrier `coarse` is.
    Returns:
        (H, W) float32.
    """
    scale, shift = fit_scale_and_shift(sharp[::4, ::4], coarse[::4, ::4])
    flat = (_FLAT_SHARE * float(np.ptp(coarse))) ** 2
    if scale == 0 or flat == 0:
        return coarse
    guide = np.asarray(scale * sharp + shift, dtype=np.float32)
    height, width = coarse.shape
    shrink = min(1.0, _FIT_PX / max(height, width))
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    I = _shrink(_blur(guide, blur_px), size)  # noqa: E741 - the paper's letters
    p = _shrink(coarse, size)
    sigma = window_px * shrink
    mean_I, mean_p = _blur(I, sigma), _blur(p, sigma)
    covariance = _blur(I * p, sigma) - mean_I * mean_p
    variance = _blur(I * I, sigma) - mean_I * mean_I
    a = np.asarray(np.maximum(covariance, 0) / (np.maximum(variance, 0) + flat), dtype=np.float32)
    b = np.asarray(mean_p - a * mean_I, dtype=np.float32)
    return np.asarray(_enlarge(_blur(a, sigma), width, height) * guide + _enlarge(_blur(b, sigma), width, height))


def _blur(values: npt.NDArray[np.float32], sigma_px: float) -> npt.NDArray[np.float32]:
    if sigma_px <= 0:
        return values
    blurred = cv2.GaussianBlur(values, (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(blurred, dtype=np.float32)


def _shrink(values: npt.NDArray[np.float32], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), dtype=np.float32)


def _enlarge(values: npt.NDArray[np.float32], width_px: int, height_px: int) -> npt.NDArray[np.float32]:
    return np.asarray(cv2.resize(values, (width_px, height_px), interpolation=cv2.INTER_LINEAR), dtype=np.float32)
