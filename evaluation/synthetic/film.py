"""From linear light to a photo: exposure, film curve, vignetting, sensor noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

RGB = npt.NDArray[np.uint8]
Light = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Options:
    """How the photo is developed.

    Attributes:
        key: Where the mean of the picture lies after exposure, linear; 0.18 is neutral, more is brighter.
        vignette: Light lost in the corners, 0..1.
        shot_noise, read_noise: Variance of the noise at white, and its floor (a phone in good light).
        bloom: Share of the light that the lens scatters.
    """

    key: float = 0.2
    vignette: float = 0.16
    shot_noise: float = 1.6e-4
    read_noise: float = 1.2e-6
    bloom: float = 0.03


def develop(light: Light, rng: np.random.Generator, options: Options) -> RGB:
    """Return the photo, (H, W, 3) uint8 sRGB, of linear light (H, W, 3)."""
    high, wide = light.shape[:2]
    value = np.maximum(light.astype(np.float64), 0.0)
    luminance = np.minimum(value @ np.array([0.2126, 0.7152, 0.0722]), np.percentile(value, 98.0))
    value *= options.key / max(float(luminance.mean()), 1e-9)
    spread = ndimage.gaussian_filter(np.minimum(value, 4.0), (wide / 60.0, wide / 60.0, 0.0))
    value = (1.0 - options.bloom) * value + options.bloom * spread
    y, x = np.mgrid[0:high, 0:wide]
    radius = np.hypot((x + 0.5) / wide - 0.5, (y + 0.5) / high - 0.5) / np.hypot(0.5, 0.5)
    value *= (1.0 - options.vignette * radius**2.4)[..., None]
    grain = rng.standard_normal(value.shape)
    grain = 0.75 * grain + 0.9 * ndimage.gaussian_filter(grain, (0.8, 0.8, 0.0))  # demosaicing makes it a little coarse
    value += grain * np.sqrt(options.shot_noise * value + options.read_noise)
    return np.asarray(np.rint(255.0 * _film_curve(value)), dtype=np.uint8)


def _film_curve(value: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Straight in the middle, a shoulder to white at 4 (Reinhard 2002, eq. 4), a slight toe; then sRGB."""
    value = np.maximum(value, 0.0) * 1.35
    shoulder = value * (1.0 + value / 16.0) / (1.0 + 0.55 * value)
    shoulder = np.clip(shoulder, 0.0, 1.0)
    srgb = np.where(shoulder <= 0.0031308, 12.92 * shoulder, 1.055 * shoulder ** (1.0 / 2.4) - 0.055)
    return np.clip(srgb + 0.09 * (srgb - 0.5) * 4.0 * srgb * (1.0 - srgb), 0.0, 1.0)
