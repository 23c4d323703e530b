"""Bring a mask to the photo's own size, with the photo's edges.

The mask is enlarged bilinearly and given back the detail it could not hold: around each pixel of the small picture
alpha is fitted as an affine function of the colour (as in the guided filter), and what the large photo has beyond its
own reduced-and-enlarged self is multiplied by that slope. Where colour says nothing the slope is zero and the enlarged
mask stays; its local mean is never smoothed, so thin parts that the mask holds are not lost.

Source: He, Sun: Fast Guided Filter (2015); Burt, Adelson: Laplacian pyramid (1983), for keeping the local mean.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from services.common.arrays import Alpha, BoolMask, Float, Pixels
from services.orchestrator.cutout.pyramid import reduce_photo

WINDOW = 3  # pixels of the small picture; 5 and 7 left 20 and 40 % more error on real mattes
NOISE = 1e-4  # variance of colours in [0, 1] that is not taken for an edge; ten times more or less is worse
STEP = 0.02  # a mask that varies by less within a window has no edge to sharpen
PIXELS_A_CHUNK = 1 << 17

Index = npt.NDArray[np.int32]


def upsample(alpha: Alpha, photo: Pixels) -> Alpha:
    """Return `alpha` at the size of `photo`, sharpened along its edges.

    Args:
        alpha: (h, w) in [0, 1], of the same view at another size.
        photo: (H, W, 3) uint8 or uint16.
    Returns:
        (H, W) in [0, 1]. Equal to `alpha` if the sizes are equal.
    """
    height, width = photo.shape[:2]
    if alpha.shape == (height, width):
        return alpha.copy()
    if alpha.shape[0] >= height or alpha.shape[1] >= width:
        reduced = cv2.resize(alpha, (width, height), interpolation=cv2.INTER_AREA)
        return np.clip(np.asarray(reduced, np.float32), 0.0, 1.0)

    enlarged = np.asarray(cv2.resize(alpha, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    flat = np.flatnonzero(_has_edge(alpha, (width, height))).astype(np.int32)
    small = reduce_photo(photo, (alpha.shape[1], alpha.shape[0]))
    ratio = (alpha.shape[0] / height, alpha.shape[1] / width)
    enlarged.reshape(-1)[flat] = upsample_at(flat, alpha, photo, small, ratio)
    return np.clip(enlarged, 0.0, 1.0, out=enlarged)


def upsample_at(flat: Index, values: Float, photo: Pixels, small: Pixels, ratio: tuple[float, float]) -> Float:
    """Return what `values` is at some pixels of `photo`: bilinear, plus slope · (photo − its enlarged small self).

    The result is linear in `values` and not clipped.

    Args:
        flat: (n,) positions in the flattened photo.
        values: (h, w), of the small picture.
        photo: (H, W, 3) uint8 or uint16.
        small: (h, w, 3) of the same type, the photo reduced.
        ratio: small over large, vertically and horizontally.
    """
    width, (low_height, low_width) = photo.shape[1], values.shape
    scale = np.float32(1.0 / np.iinfo(photo.dtype).max)
    low_colours = small.reshape(-1, 3).astype(np.float32) * scale
    slopes = _slopes(low_colours, values, _covering(flat, width, ratio, values.shape))
    low_values, colours = values.reshape(-1), photo.reshape(-1, 3)
    result = np.empty(flat.size, np.float32)
    for start in range(0, flat.size, PIXELS_A_CHUNK):
        part = slice(start, start + PIXELS_A_CHUNK)
        y, x = np.divmod(flat[part], np.int32(width))
        top, below, down = _neighbours(y, ratio[0], low_height)
        left, right, across = _neighbours(x, ratio[1], low_width)
        upper, lower = top * np.int32(low_width), below * np.int32(low_width)
        corners = (
            (upper + left, (1 - down) * (1 - across)),
            (upper + right, (1 - down) * across),
            (lower + left, down * (1 - across)),
            (lower + right, down * across),
        )
        detail = colours[flat[part]].astype(np.float32) * scale
        slope = np.zeros_like(detail)
        plain = np.zeros(detail.shape[0], np.float32)
        for at, weight in corners:
            detail -= low_colours[at] * weight[:, None]
            slope += slopes[at] * weight[:, None]
            plain += low_values[at] * weight
        result[part] = plain + np.einsum("nc,nc->n", detail, slope)
    return result


def _has_edge(alpha: Alpha, size: tuple[int, int]) -> BoolMask:
    kernel = np.ones((WINDOW, WINDOW), np.uint8)
    varies = (cv2.dilate(alpha, kernel) - cv2.erode(alpha, kernel)) > STEP
    return np.asarray(cv2.resize(varies.view(np.uint8), size, interpolation=cv2.INTER_NEAREST), np.uint8).view(np.bool_)


def _covering(flat: Index, width: int, ratio: tuple[float, float], shape: tuple[int, ...]) -> Index:
    """Return the positions of all small pixels that touch the large pixels `flat`."""
    small = np.zeros(shape, np.uint8)
    y, x = np.divmod(flat, np.int32(width))
    small[(y * np.float32(ratio[0])).astype(np.int32), (x * np.float32(ratio[1])).astype(np.int32)] = 1
    return np.flatnonzero(cv2.dilate(small, np.ones((3, 3), np.uint8))).astype(np.int32)


def _neighbours(at: Index, ratio: float, size: int) -> tuple[Index, Index, Float]:
    """Return the two small pixels on either side of large pixel `at`, and the weight of the second."""
    place = (at.astype(np.float32) + np.float32(0.5)) * np.float32(ratio) - np.float32(0.5)
    place = np.clip(place, 0, size - 1)
    first = place.astype(np.int32)
    return first, np.minimum(first + 1, size - 1), place - first


def _slopes(colours: Float, alpha: Float, flat: Index) -> Float:
    """Return (h · w, 3): at `flat` the slope of alpha over colour, least squares in 3×3 windows; elsewhere 0."""
    height, width = alpha.shape
    slopes = np.zeros((height * width, 3), np.float32)
    values = alpha.reshape(-1)
    for start in range(0, flat.size, PIXELS_A_CHUNK // 8):
        part = flat[start : start + PIXELS_A_CHUNK // 8]
        y, x = np.divmod(part, np.int32(width))
        rows = [np.clip(y + dy, 0, height - 1) * np.int32(width) for dy in (-1, 0, 1)]
        members = np.stack([row + np.clip(x + dx, 0, width - 1) for row in rows for dx in (-1, 0, 1)])
        c = np.moveaxis(colours[members], 2, 0)  # (3, 9, n)
        c = c - c.mean(axis=1, keepdims=True)
        v = values[members]
        v = v - v.mean(axis=0)
        slopes[part] = _least_squares(c, v).T
    return slopes


def _least_squares(c: Float, v: Float) -> Float:
    """Return (3, n): the a of v ≈ a · c over the 9 members of n windows, by the adjugate of the covariance."""
    (rr, rg, rb), (_, gg, gb), (_, _, bb) = (
        [np.einsum("kn,kn->n", c[i], c[j]) / np.float32(9) for j in range(3)] for i in range(3)
    )
    r, g, b = (np.einsum("kn,kn->n", c[i], v) / np.float32(9) for i in range(3))
    rr, gg, bb = rr + np.float32(NOISE), gg + np.float32(NOISE), bb + np.float32(NOISE)
    i_rr, i_rg, i_rb = gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg
    i_gg, i_gb, i_bb = rr * bb - rb * rb, rg * rb - rr * gb, rr * gg - rg * rg
    determinant = rr * i_rr + rg * i_rg + rb * i_rb
    slopes = (i_rr * r + i_rg * g + i_rb * b, i_rg * r + i_gg * g + i_gb * b, i_rb * r + i_gb * g + i_bb * b)
    return np.asarray(np.stack(slopes) / determinant, np.float32)
