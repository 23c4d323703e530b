"""Tileable pictures of surfaces: wood, weave, concrete, plaster, speckled glaze.

Each function returns linear reflectance, (n, n, 3) float32 in [0, 1], and repeats without a seam.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Texture = npt.NDArray[np.float32]
Field = npt.NDArray[np.float64]

SIDE = 1024  # pixels; one tile is seldom larger than the photo


def linear(srgb: Sequence[float]) -> npt.NDArray[np.float64]:
    """Return linear light of an sRGB colour given in 0..255."""
    value = np.asarray(srgb, dtype=np.float64) / 255.0
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def noise(rng: np.random.Generator, fall: float, stretch: tuple[float, float] = (1.0, 1.0), side: int = SIDE) -> Field:
    """Return tileable noise, (side, side), mean 0 and deviation 1.

    The amplitude falls with frequency to the power `-fall` (1 is rough, 2 is cloudy); `stretch` draws it out
    along (y, x).
    """
    fy = np.fft.fftfreq(side)[:, None] * side * stretch[0]
    fx = np.fft.rfftfreq(side)[None, :] * side * stretch[1]
    amplitude = np.maximum(np.hypot(fy, fx), 1.0) ** -fall
    amplitude[0, 0] = 0.0
    field = np.fft.irfft2(amplitude * np.fft.rfft2(rng.standard_normal((side, side))), s=(side, side))
    return np.asarray((field - field.mean()) / field.std(), dtype=np.float64)


def wood(rng: np.random.Generator, colour: Sequence[float], boards: int = 5, side: int = SIDE) -> Texture:
    """Boards along x with drawn-out rings, pores and joints; `colour` is the sRGB mean."""
    board = side // boards
    tone = np.empty((side, side))
    for k in range(boards):
        rows = slice(k * board, side if k == boards - 1 else (k + 1) * board)
        height = rows.stop - rows.start
        bend = noise(rng, 1.9, (1.0, 7.0), side)[:height]
        across = np.linspace(-1.0, 1.0, height)[:, None] + rng.uniform(-0.4, 0.4)
        rings = np.sin(2.0 * np.pi * (rng.uniform(2.0, 4.0) * across + 0.55 * bend) + rng.uniform(0, 6))
        tone[rows] = 0.5 * rings * np.abs(rings) + rng.normal(0.0, 0.7)
    fibre = noise(rng, 0.9, (0.12, 9.0), side)
    pores = np.clip(noise(rng, 0.55, (0.25, 16.0), side) - 1.6, 0.0, 1.2)
    value = 0.085 * tone + 0.075 * fibre + 0.06 * noise(rng, 1.6, (1.0, 2.0), side) - 0.22 * pores
    joint = np.minimum(np.arange(side) % board, board - 1 - np.arange(side) % board)
    value[joint < max(1, side // 700)] -= 0.8
    warm = np.array([1.0, 1.12, 1.3])  # darker grain is also redder
    return _picture(linear(colour) * np.exp(1.4 * value[..., None] * warm))


def weave(rng: np.random.Generator, colour: Sequence[float], threads: int = 128, side: int = SIDE) -> Texture:
    """Plain weave with uneven threads, seen from close by."""
    row = np.arange(side) / side * threads
    y, x = (
        row[:, None] + 0.18 * noise(rng, 1.6, (0.2, 3.0), side),
        row[None, :] + 0.18 * noise(rng, 1.6, (3.0, 0.2), side),
    )
    over = (np.floor(y) + np.floor(x)) % 2.0
    warp = np.abs(np.sin(np.pi * x)) * (0.65 + 0.35 * np.abs(np.sin(np.pi * y)))
    weft = np.abs(np.sin(np.pi * y)) * (0.65 + 0.35 * np.abs(np.sin(np.pi * x)))
    light = np.where(over > 0.5, warp, weft)
    thread = 0.06 * noise(rng, 1.0, (0.05, 6.0), side) + 0.06 * noise(rng, 1.0, (6.0, 0.05), side)
    value = 0.55 * (light - 0.75) + thread + 0.04 * noise(rng, 1.3, side=side)
    return _picture(linear(colour) * np.exp(value[..., None]))


def check(rng: np.random.Generator, one: Sequence[float], two: Sequence[float], cells: int = 8) -> Texture:
    """Gingham: two colours of thread crossing, on top of a weave."""
    stripe = (np.arange(SIDE) * cells // SIDE) % 2
    share = (stripe[:, None] + stripe[None, :]) / 2.0
    base = weave(rng, (235, 235, 235))
    colour = linear(one) * (1.0 - share[..., None]) + linear(two) * share[..., None]
    return _picture(base * colour)


def concrete(rng: np.random.Generator, colour: Sequence[float], contrast: float = 1.0, side: int = SIDE) -> Texture:
    """Cloudy cement with fine grain and small pores."""
    cloud, grain = noise(rng, 1.7, side=side), noise(rng, 0.35, side=side)
    pits = ndimage.gaussian_filter((rng.random((side, side)) > 0.9994).astype(np.float64), 1.3, mode="wrap")
    value = 0.10 * cloud + 0.035 * grain + 0.05 * noise(rng, 1.1, side=side) - np.minimum(6.0 * pits, 0.6)
    return _picture(linear(colour) * np.exp(contrast * value[..., None]))


def plaster(rng: np.random.Generator, colour: Sequence[float], side: int = SIDE) -> Texture:
    """Painted wall: very soft clouds and a fine roller grain."""
    value = 0.035 * noise(rng, 1.8, side=side) + 0.018 * noise(rng, 0.5, side=side)
    return _picture(linear(colour) * np.exp(value[..., None]))


def glaze(rng: np.random.Generator, colour: Sequence[float], speck: Sequence[float], amount: float = 1.0) -> Texture:
    """Stoneware glaze: slow changes of tone and dark iron specks of several sizes."""
    tone = 0.05 * noise(rng, 1.8) + 0.02 * noise(rng, 1.0)
    cover = np.zeros((SIDE, SIDE))
    for size, share in ((0.9, 6e-4), (1.5, 2.2e-4), (2.4, 5e-5)):
        dots = ndimage.gaussian_filter(
            (rng.random((SIDE, SIDE)) < amount * share).astype(np.float64), size, mode="wrap"
        )
        cover = np.maximum(cover, np.clip(dots * 2.0 * np.pi * size**2 * 1.4, 0.0, 1.0))
    cover = 0.75 * cover[..., None]
    return _picture((1.0 - cover) * linear(colour) * np.exp(tone[..., None]) + cover * linear(speck))


def stripes(rng: np.random.Generator, one: Sequence[float], two: Sequence[float], count: int = 8) -> Texture:
    """Horizontal bands with slightly uneven borders."""
    row = np.arange(SIDE)[:, None] / SIDE * count + 0.03 * noise(rng, 1.6)
    share = (np.floor(row) % 2.0)[..., None]
    value = 0.03 * noise(rng, 1.2)[..., None]
    return _picture((linear(one) * (1.0 - share) + linear(two) * share) * np.exp(value))


def _picture(value: npt.NDArray[np.floating]) -> Texture:
    return np.asarray(np.clip(value, 0.004, 0.92), dtype=np.float32)
