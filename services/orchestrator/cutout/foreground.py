"""Estimate the subject's own colour where background shines through, so that no halo shows on another background.

Each pixel is C = αF + (1 − α)B with F and B unknown; both are smooth where alpha is smooth. The equations are relaxed
on a pyramid from coarse to fine. Only pixels near the soft edge are ever touched: at each level a list of them, four
neighbours each; a solid pixel keeps the photo's colour.

Source: Germer, Uelwer, Conrad, Harmeling: Fast Multi-Level Foreground Estimation (2020), equations 3 to 5.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from services.common.arrays import Alpha, BoolMask, Float, Pixels
from services.orchestrator.cutout.pyramid import halve, halve_any, halve_photo

SMOOTHNESS = 1e-5  # as in the paper: F and B of neighbours agree that much even across a step of alpha 0
EDGE_SMOOTHNESS = 1.0  # and this much more for each unit of difference in alpha
SOLID = 1.0 - 0.5 / 255.0  # alpha that 8 bit cannot tell from 1 (and 1 − SOLID from 0)
WORK_PX = 200_000  # a level of n pixels is relaxed WORK_PX / n times, within these limits
FEWEST_STEPS, MOST_STEPS = 1, 12
PIXELS_A_CHUNK = 1 << 15

Index = npt.NDArray[np.int32]


@dataclass(frozen=True)
class _Level:
    """The pixels of one level that are estimated, and what is known of them.

    `flat` (n,) are their positions; `neighbours` (4, n) indices into the list, the pixel's own where there is none.
    """

    shape: tuple[int, int]
    flat: Index
    neighbours: Index
    weights: Float
    alpha: Float
    colour: Float


def estimate_foreground(photo: Pixels, alpha: Alpha) -> Pixels:
    """Return `photo` with the background's share taken out of its soft pixels and their closest surroundings.

    Args:
        photo: (H, W, 3) uint8 or uint16.
        alpha: (H, W) in [0, 1].
    Returns:
        (H, W, 3) of the same type. Unchanged where alpha is 1 or where no soft pixel is near.

    >>> photo = np.zeros((40, 40, 3), np.uint8)
    >>> photo[:, :19], photo[:, 19], photo[:, 20:] = (0, 0, 200), (100, 0, 100), (200, 0, 0)  # blue, mixed, red
    >>> alpha = np.zeros((40, 40), np.float32)
    >>> alpha[:, 19], alpha[:, 20:] = 0.5, 1
    >>> estimate_foreground(photo, alpha)[20, 19].tolist()  # the blue has gone
    [200, 0, 0]
    """
    soft = (alpha > 1.0 - SOLID) & (alpha < SOLID)
    result = photo.copy()
    if not soft.any():
        return result
    foreground = _solve(photo, alpha, _grow(soft, 3))
    area = np.flatnonzero(_grow(soft, 3) & (alpha < SOLID))
    wanted = np.flatnonzero(_grow(soft, 3))
    top = np.iinfo(photo.dtype).max
    chosen = foreground[np.searchsorted(wanted, area)]
    result.reshape(-1, 3)[area] = np.rint(np.clip(chosen, 0.0, 1.0) * np.float32(top)).astype(photo.dtype)
    return result


def _grow(mask: BoolMask, size: int) -> BoolMask:
    return np.asarray(cv2.dilate(mask.view(np.uint8), np.ones((size, size), np.uint8)), np.uint8).view(np.bool_)


def _solve(photo: Pixels, alpha: Alpha, area: BoolMask) -> Float:
    """Return (n, 3): the foreground at the n pixels of `area`, in raster order."""
    levels: list[_Level] = []
    while True:
        levels.append(_describe(photo, alpha, area))
        if max(area.shape) <= 4:
            break
        photo, alpha, area = halve_photo(photo), halve(alpha), _grow(halve_any(area), 3)

    both = _mean_colours(levels[-1])
    above: _Level | None = None
    for level in reversed(levels):
        if above is not None:
            both = both[_parents(level, above)]
        for _ in range(min(max(WORK_PX // level.flat.size, FEWEST_STEPS), MOST_STEPS)):
            both = _relax(level, both)
        above = level
    return both[:, :3]


def _describe(photo: Pixels, alpha: Alpha, area: BoolMask) -> _Level:
    height, width = area.shape
    flat = np.flatnonzero(area).astype(np.int32)
    number = np.full((height + 2, width + 2), -1, np.int32)
    number[1:-1, 1:-1].reshape(height, width)[area] = np.arange(flat.size, dtype=np.int32)
    padded = number.reshape(-1)
    own = np.arange(flat.size, dtype=np.int32)
    y, x = np.divmod(flat, np.int32(width))
    at = (y + 1) * np.int32(width + 2) + x + 1
    neighbours = np.stack([padded[at + np.int32(step)] for step in (-width - 2, -1, 1, width + 2)])
    neighbours = np.where(neighbours < 0, own, neighbours)

    values = alpha.reshape(-1)[flat]
    weights = SMOOTHNESS + EDGE_SMOOTHNESS * np.abs(values[neighbours] - values)
    colour = photo.reshape(-1, 3)[flat].astype(np.float32) / np.float32(np.iinfo(photo.dtype).max)
    return _Level((height, width), flat, neighbours, weights.astype(np.float32), values, colour)


def _mean_colours(level: _Level) -> Float:
    """Return (n, 6) to start with: everywhere the mean colour of the subject and that of the background."""
    means = [
        (level.colour * weight[:, None]).sum(axis=0) / max(float(weight.sum()), 1e-6)
        for weight in (level.alpha, 1.0 - level.alpha)
    ]
    return np.tile(np.concatenate(means).astype(np.float32), (level.flat.size, 1))


def _parents(level: _Level, above: _Level) -> Index:
    """Return, for each pixel of `level`, the index in `above` of the pixel that covers it."""
    height, width = above.shape
    number = np.zeros(height * width, np.int32)
    number[above.flat] = np.arange(above.flat.size, dtype=np.int32)
    y, x = np.divmod(level.flat, np.int32(level.shape[1]))
    return np.asarray(number[(y // 2) * np.int32(width) + x // 2])


def _relax(level: _Level, both: Float) -> Float:
    """Solve for F and B of each pixel with its neighbours' values held (equation 4): one Jacobi step, in chunks."""
    solved = np.empty_like(both)
    for start in range(0, level.flat.size, PIXELS_A_CHUNK):
        part = slice(start, start + PIXELS_A_CHUNK)
        weights = level.weights[:, part]
        pulled = np.zeros((weights.shape[1], 6), np.float32)
        for neighbour, weight in zip(level.neighbours[:, part], weights, strict=True):
            pulled += weight[:, None] * both[neighbour]
        a = level.alpha[part][:, None]
        b = np.float32(1) - a
        total = weights.sum(axis=0)[:, None]
        right_f, right_b = a * level.colour[part] + pulled[:, :3], b * level.colour[part] + pulled[:, 3:]
        aa, bb, ab = a * a + total, b * b + total, a * b
        inverse = np.float32(1) / (total * (a * a + bb))  # = aa · bb − ab · ab, without its cancellation
        solved[part, :3] = np.clip(inverse * (bb * right_f - ab * right_b), 0.0, 1.0)
        solved[part, 3:] = np.clip(inverse * (aa * right_b - ab * right_f), 0.0, 1.0)
    return solved
