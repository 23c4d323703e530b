"""A stand-in for a relative depth network: what its answer would look like if it knew the true depth.

Networks of this kind answer at a coarse resolution, up to an unknown scale and shift, with soft edges that follow the
photo's own, slow distortions over the picture and fine ripple. This is no model of one network; it keeps fusion code
honest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Field = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Options:
    """How the answer differs from the truth.

    Attributes:
        cells: Width of the network's coarse view, cells.
        coarse_share: Weight of the coarse view; the rest is the truth smoothed along the photo's edges.
        warp: Slow relative error, a 4 x 4 grid.
        wobble: Slow additive error, a 12 x 12 grid, as a share of the range.
        ripple: Fine additive error as a share of the range.
        levels: Distinct steps in the answer.
    """

    cells: int = 74
    coarse_share: float = 0.45
    warp: float = 0.04
    wobble: float = 0.006
    ripple: float = 0.002
    levels: int = 384


@dataclass(frozen=True)
class Simulated:
    """(H, W) float16, larger is nearer, sky 0; and the unknowns that were drawn."""

    inverse_depth: npt.NDArray[np.float16]
    scale: float
    shift: float
    levels: int


def simulate_depth(
    z: npt.NDArray[np.floating], photo: npt.NDArray[np.uint8], rng: np.random.Generator, options: Options | None = None
) -> Simulated:
    """Return a network-like relative inverse depth.

    Args:
        z: (H, W) exact distance along the view axis, inf where there is no surface.
        photo: (H, W, 3) uint8, whose edges the answer follows.
        rng: Scale, shift and errors.
        options: Sizes of the errors.
    """
    chosen = options or Options()
    high, wide = z.shape
    sky = ~np.isfinite(z)
    inverse = np.where(sky, 0.0, 1.0 / np.maximum(np.where(sky, 1.0, z), 1e-6))
    inverse = inverse / max(float(np.percentile(inverse, 99.5)), 1e-9)
    shift = float(rng.uniform(-0.10, 0.15))
    inverse = np.where(sky, 0.0, np.maximum(inverse + shift, 0.0))
    coarse = _coarse(inverse, chosen.cells)
    grey = ndimage.gaussian_filter(photo.astype(np.float64).mean(axis=2) / 255.0, 0.5)
    value = chosen.coarse_share * coarse + (1.0 - chosen.coarse_share) * guided_filter(
        grey, inverse, max(2, wide // 90)
    )
    value *= 1.0 + chosen.warp * _grid(rng, 4, (high, wide))
    value += chosen.wobble * _grid(rng, 12, (high, wide))
    ripple = ndimage.gaussian_filter(rng.standard_normal((high, wide)), 4.0 * wide / 768.0)
    value += chosen.ripple * ripple / max(float(ripple.std()), 1e-12)
    value *= 1.0 - ndimage.gaussian_filter(sky.astype(np.float64), 2.0)
    scale = float(rng.uniform(3.0, 12.0))
    stepped = np.rint(np.maximum(value, 0.0) * chosen.levels) / chosen.levels
    return Simulated((scale * stepped).astype(np.float16), round(scale, 3), round(shift, 3), chosen.levels)


def guided_filter(I: Field, p: Field, radius: int, epsilon: float = 1e-3) -> Field:  # noqa: E741
    """Smooth p along the edges of I.

    Source: K. He, J. Sun, X. Tang, Guided image filtering, 2010, algorithm 1.
    """

    def mean(value: Field) -> Field:
        return np.asarray(ndimage.uniform_filter(value, 2 * radius + 1, mode="nearest"), dtype=np.float64)

    mean_I, mean_p = mean(I), mean(p)
    a = (mean(I * p) - mean_I * mean_p) / (mean(I * I) - mean_I**2 + epsilon)
    b = mean_p - a * mean_I
    return mean(a) * I + mean(b)


def _coarse(value: Field, cells: int) -> Field:
    """Mean over about `cells` cells across, brought back with cubic interpolation."""
    high, wide = value.shape
    size = wide / cells
    smooth = ndimage.uniform_filter(value, max(1, round(size)), mode="nearest")
    rows, columns = max(2, round(high / size)), cells
    y = (np.arange(rows) + 0.5) * high / rows - 0.5
    x = (np.arange(columns) + 0.5) * wide / columns - 0.5
    small = ndimage.map_coordinates(smooth, np.meshgrid(y, x, indexing="ij"), order=1, mode="nearest")
    return _enlarged(small, (high, wide))


def _grid(rng: np.random.Generator, cells: int, shape: tuple[int, int]) -> Field:
    """Smooth noise from a coarse grid, about -1 to 1."""
    return _enlarged(rng.uniform(-1.0, 1.0, (cells, cells)), shape)


def _enlarged(small: Field, shape: tuple[int, int]) -> Field:
    y = (np.arange(shape[0]) + 0.5) * small.shape[0] / shape[0] - 0.5
    x = (np.arange(shape[1]) + 0.5) * small.shape[1] / shape[1] - 0.5
    at = np.meshgrid(y, x, indexing="ij")
    return np.asarray(ndimage.map_coordinates(small, at, order=3, mode="nearest"), dtype=np.float64)
