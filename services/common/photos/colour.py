"""From the colours that a file states, by an ICC profile or otherwise, to ones that can be shown and written."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from services.common.photos.raster import Samples, Space, as_samples, is_deep

_ICC_SPACE: dict[bytes, Space] = {b"RGB ": "rgb", b"GRAY": "grey", b"CMYK": "cmyk"}
_D65 = (0.3127, 0.3290)
_SRGB_PRIMARIES = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_P3_PRIMARIES = (0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
_BT2020_PRIMARIES = (0.708, 0.292, 0.170, 0.797, 0.131, 0.046)
_ADOBE_PRIMARIES = (0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
# Colour primaries and transfer characteristics by their numbers in ITU-T H.273, which PNG's cICP, HEIF and AVIF use.
_H273_PRIMARIES = {1: _SRGB_PRIMARIES, 9: _BT2020_PRIMARIES, 12: _P3_PRIMARIES}
_H273_GAMMA = {4: 2.2, 5: 2.8, 8: 1.0}
_H273_SRGB_LIKE = (1, 6, 13, 14, 15)  # sRGB itself, and BT.709's camera curve, which everybody shows as sRGB
_SRGB_GAMMA = (1 / 2.4, 1 / 2.0)  # a stated gamma between these is what programs write who mean sRGB
_CURVE_POINTS = 1024


def space_of_profile(icc: bytes) -> Space | None:
    """Return what colours a profile is for, or None where it is none that photos are in, or is broken."""
    return _ICC_SPACE.get(icc[16:20]) if len(icc) >= 128 and icc[36:40] == b"acsp" else None


def to_srgb(samples: Samples, space: Space, icc: bytes) -> Samples:
    """Return (H, W, 3) sRGB of the same depth.

    Args:
        samples: (H, W, C) uint8 or uint16.
        space: what they are.
        icc: their profile; empty, broken or for another space: grey is sRGB's grey, CMYK is ink on white.
    """
    if icc and space_of_profile(icc) == space:
        import imagecodecs

        source = samples[:, :, 0] if space == "grey" else samples
        try:
            found = imagecodecs.cms_transform(
                np.ascontiguousarray(source), icc, srgb_profile(), colorspace=_LCMS[space], outcolorspace="rgb"
            )
        except imagecodecs.CmsError:  # it looks like a profile and is none: the numbers are all there is
            return _without_profile(samples, space)
        return as_samples(found, deep=is_deep(samples))
    return _without_profile(samples, space)


_LCMS = {"grey": "gray", "rgb": "rgb", "cmyk": "cmyk"}


def _without_profile(samples: Samples, space: Space) -> Samples:
    if space == "rgb":
        return samples
    if space == "grey":
        return as_samples(np.repeat(samples, 3, axis=2), deep=is_deep(samples))
    full = np.iinfo(samples.dtype).max
    ink = samples.astype(np.uint32)
    rgb = (full - ink[:, :, :3]) * (full - ink[:, :, 3:]) // full
    return as_samples(rgb, deep=is_deep(samples))


def profile_of_chromaticities(
    gamma: float | None, white: tuple[float, float] | None, primaries: tuple[float, ...] | None, *, grey: bool
) -> bytes:
    """Return a profile for colours stated by numbers (PNG's gAMA and cHRM); empty where they are sRGB.

    Args:
        gamma: exponent from linear light to samples, e.g. 1/2.2, or None.
        white: x, y.
        primaries: x, y of red, green and blue.
        grey: whether the samples are grey.
    """
    is_srgb_gamma = gamma is None or _SRGB_GAMMA[0] - 0.01 <= gamma <= _SRGB_GAMMA[1] + 0.01
    stated = (*(white or _D65), *(primaries or _SRGB_PRIMARIES))
    is_srgb_colour = grey or np.allclose(stated, (*_D65, *_SRGB_PRIMARIES), atol=2e-3)
    if is_srgb_gamma and is_srgb_colour:
        return b""
    exponent = None if is_srgb_gamma or gamma is None else 1 / gamma
    return make_profile(white or _D65, primaries or _SRGB_PRIMARIES, exponent, grey=grey)


def profile_of_h273(primaries: int, transfer: int, *, grey: bool) -> bytes | None:
    """Return a profile for colours stated by numbers of ITU-T H.273; empty for sRGB, None for what is not known here.

    High dynamic range (PQ, HLG) is not known: a profile cannot say it.
    """
    if primaries not in _H273_PRIMARIES or (transfer not in _H273_GAMMA and transfer not in _H273_SRGB_LIKE):
        return None
    if transfer in _H273_SRGB_LIKE and (primaries == 1 or grey):
        return b""
    return make_profile(_D65, _H273_PRIMARIES[primaries], _H273_GAMMA.get(transfer), grey=grey)


@functools.cache
def adobe_rgb_profile() -> bytes:
    """Return the profile of Adobe RGB (1998), which cameras state by EXIF's interoperability index R03."""
    return make_profile(_D65, _ADOBE_PRIMARIES, 563 / 256, grey=False)


@functools.cache
def make_profile(
    white: tuple[float, float], primaries: tuple[float, ...], exponent: float | None, *, grey: bool
) -> bytes:
    """Return an ICC profile by chromaticities; `exponent` from samples to linear light, None for sRGB's own curve."""
    import imagecodecs

    curve: dict[str, Any] = {"transferfunction": srgb_curve()} if exponent is None else {"gamma": exponent}
    if grey:
        return bytes(imagecodecs.cms_profile("gray", whitepoint=white, **curve))
    return bytes(imagecodecs.cms_profile("rgb", whitepoint=white, primaries=primaries, **curve))


@functools.cache
def srgb_profile() -> bytes:
    """Return the profile of sRGB."""
    import imagecodecs

    return bytes(imagecodecs.cms_profile("srgb"))


def srgb_curve() -> npt.NDArray[np.uint16]:
    """Return sRGB's curve from samples to linear light, evenly sampled (IEC 61966-2-1)."""
    value = np.linspace(0, 1, _CURVE_POINTS)
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return np.asarray(np.rint(linear * 65535), dtype=np.uint16)
