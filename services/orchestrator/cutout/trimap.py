"""Mark where matting must decide: sure background, sure foreground, and the unknown band between them.

Two ways. `build_trimap` lets the band follow the mask's own doubt: a crisp edge gets a narrow band, a wide grey edge a
wide one. `build_classic_trimap` is the usual recipe of two thresholds and an erosion, for those who ask for it by its
three numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from services.common.arrays import Alpha, BoolMask, Trimap

BACKGROUND, UNKNOWN, FOREGROUND = 0, 128, 255


@dataclass(frozen=True)
class TrimapOptions:
    """How far the mask is trusted. Lengths are pixels of the mask.

    Attributes:
        sure: alpha within this much of 0 or 1 is sure. More makes the band wider.
        min_band_px: the band reaches this far beyond what is grey, at the crispest edge.
        widths_px: where the grey is wider than twice one of these, the band grows by that much more.
    """

    sure: float = 0.04
    min_band_px: int = 1
    widths_px: tuple[int, ...] = (2, 4, 8)


@dataclass(frozen=True)
class ClassicTrimapOptions:
    """The three numbers of the classic recipe, in its own units.

    Attributes:
        foreground_threshold: 0–255; alpha above is foreground.
        background_threshold: 0–255; alpha below is background.
        erode_size: px of the picture; both are eroded by a square of this side, so more makes the band wider.
    """

    foreground_threshold: int = 240
    background_threshold: int = 10
    erode_size: int = 10


def build_trimap(alpha: Alpha, options: TrimapOptions) -> Trimap:
    """Return a trimap whose band is as wide as `alpha` is unsure.

    Args:
        alpha: (H, W) in [0, 1], from the segmentation network.
        options: how far it is trusted.
    Returns:
        (H, W) uint8: 0 background, 128 unknown, 255 foreground. Either sure class may be empty.

    >>> alpha = np.float32([[0, 0, 0, 0, 0.3, 1, 1, 1, 1, 1]] * 5)
    >>> build_trimap(alpha, TrimapOptions(widths_px=()))[2].tolist()
    [0, 0, 0, 128, 128, 128, 128, 255, 255, 255]
    """
    grey = (alpha > options.sure) & (alpha < 1.0 - options.sure)
    # A hard mask has no grey: both sides of its outline stand for it.
    outline = (cv2.dilate(alpha, _disc(1)) > 0.5) & (cv2.erode(alpha, _disc(1)) <= 0.5)
    doubt = np.asarray(grey | outline).view(np.uint8)
    band = np.asarray(cv2.dilate(doubt, _disc(options.min_band_px)), np.uint8)
    for width in options.widths_px:
        wide = cv2.morphologyEx(doubt, cv2.MORPH_OPEN, _disc(width))
        band = np.maximum(band, np.asarray(cv2.dilate(wide, _disc(width)), np.uint8))
    return _label(band.view(np.bool_), np.asarray(alpha > 0.5))


def decide(alpha: Alpha) -> Trimap:
    """Return the trimap without a band: foreground where alpha is above a half."""
    return np.where(alpha > 0.5, FOREGROUND, BACKGROUND).astype(np.uint8)


def build_classic_trimap(alpha: Alpha, options: ClassicTrimapOptions) -> Trimap:
    """Return the trimap of two thresholds, both classes eroded by a square; shapes as in `build_trimap`.

    >>> alpha = np.float32([[0, 0, 0, 0, 0.3, 1, 1, 1, 1, 1]] * 5)
    >>> build_classic_trimap(alpha, ClassicTrimapOptions(240, 10, erode_size=0))[2].tolist()
    [0, 0, 0, 0, 128, 255, 255, 255, 255, 255]
    """
    foreground = alpha * 255.0 > options.foreground_threshold
    background = alpha * 255.0 < options.background_threshold
    if options.erode_size > 0:
        square = np.ones((options.erode_size, options.erode_size), np.uint8)
        # The picture goes on beyond its border: nothing is eroded from there.
        foreground = cv2.erode(foreground.view(np.uint8), square).view(np.bool_)
        background = cv2.erode(background.view(np.uint8), square).view(np.bool_)
    return _label(np.asarray(~(foreground | background)), np.asarray(foreground))


def _label(unknown: BoolMask, foreground: BoolMask) -> Trimap:
    trimap = np.where(foreground, FOREGROUND, BACKGROUND).astype(np.uint8)
    trimap[unknown] = UNKNOWN
    return trimap


def _disc(radius: int) -> Trimap:
    side = 2 * radius + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)
