"""What a picture file holds, as it is stored: nothing turned, no colour converted, no alpha multiplied in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from services.common.errors import ImageTooLarge, InvalidImage

Samples = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
Space = Literal["grey", "rgb", "cmyk"]
AlphaKind = Literal["none", "straight", "associated", "colour key", "unspecified"]
"""Where a picture's alpha comes from.

`associated` colours were multiplied by it, and are divided again when read; `unspecified` samples beside the colours
(infrared, a selection) are told and left alone: nobody knows what they mean.
"""

MIN_SIDE_PX = 8


@dataclass(frozen=True)
class Raster:
    """A picture as its file stores it.

    Attributes:
        samples: (H, W, C), uint8 or uint16; C is 1 for grey, 3 for rgb, 4 for cmyk (0 is no ink). White is the largest
            value and colours are straight, whatever the file's own convention.
        space: what the samples are.
        alpha: (H, W) of the samples' type, or None.
        alpha_kind: where that comes from.
        orientation: EXIF orientation, 1 to 8: how the samples are to be turned.
        icc: the profile that the samples are in; empty means sRGB, or its grey.
        fits_srgb: whether sRGB holds all of the profile's colours, so that nothing is lost without it.
        dpi: resolution (across, down), or None where the file says nothing.
        exif: the block with its `Exif` mark, as stored.
        xmp: the packet as stored.
        format: e.g. PNG.
        frames: pictures in the file; this is the first one.
        warnings: what a person should know of this file, one sentence each.
    """

    samples: Samples
    space: Space
    alpha: Samples | None
    alpha_kind: AlphaKind
    format: str
    orientation: int = 1
    icc: bytes = b""
    fits_srgb: bool = False
    dpi: tuple[float, float] | None = None
    exif: bytes = b""
    xmp: bytes = b""
    frames: int = 1
    warnings: tuple[str, ...] = field(default=())


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Refuse a picture by the size that its header states, before any pixel is decoded.

    Raises:
        ImageTooLarge: more than `max_pixels`.
        InvalidImage: a side below `MIN_SIDE_PX`.
    """
    if width * height > max_pixels:
        raise ImageTooLarge(
            f"photo is {width} × {height} px; the limit is {max_pixels / 1e6:.0f} Mpx "
            "(the orchestrator's setting --max-pixels, UNFLAT_MAX_PIXELS)",
            field="file",
        )
    if min(width, height) < MIN_SIDE_PX:
        raise InvalidImage(f"photo is {width} × {height} px; wanted at least {MIN_SIDE_PX} px a side", field="file")


def raw_photo(kind: str = "") -> InvalidImage:
    """Return the refusal of a camera's raw data, whose readable picture is a thumbnail; `kind` says which, if known."""
    return InvalidImage(
        f"the file is a camera's raw photo{kind}; wanted a developed picture: export it as JPEG or 16-bit TIFF from a "
        "raw converter",
        field="file",
    )


def as_samples(values: npt.NDArray[Any], *, deep: bool) -> Samples:
    """Return whole numbers as uint16 where `deep`, else as uint8."""
    return np.asarray(values, dtype=np.uint16) if deep else np.asarray(values, dtype=np.uint8)


def is_deep(samples: Samples) -> bool:
    """Whether samples have 16 bits."""
    return samples.dtype == np.uint16


def scale_to_depth(values: npt.NDArray[Any], bits: int) -> Samples:
    """Return unsigned samples of `bits` bits as uint8 (up to 8 bits) or uint16, the largest value at full scale."""
    full, largest = 65535 if bits > 8 else 255, (1 << bits) - 1
    if largest != full:
        values = (values.astype(np.uint32) * full + largest // 2) // largest
    return as_samples(values, deep=bits > 8)


def to_8_bits(samples: Samples) -> npt.NDArray[np.uint8]:
    """Return samples of 8 or 16 bits as uint8, rounded to the nearest step."""
    if not is_deep(samples):
        return np.asarray(samples, dtype=np.uint8)
    return np.asarray(cv2.convertScaleAbs(samples, alpha=1 / 257), dtype=np.uint8)


def divide_by_alpha(colours: Samples, alpha: Samples) -> Samples:
    """Return straight colours of associated ones, (H, W, C); where alpha is 0 there is no colour, and they stay.

    Source: TIFF 6.0, section 18, "Associated alpha".
    """
    full = np.iinfo(colours.dtype).max
    divisor = np.maximum(alpha, 1).astype(np.float32)[:, :, None]
    straight = np.rint(colours.astype(np.float32) * (np.float32(full) / divisor))
    straight = np.where(alpha[:, :, None] > 0, np.minimum(straight, full), colours)
    return as_samples(straight, deep=is_deep(colours))


def turn_upright(array: Any, orientation: int) -> Any:
    """Return stored rows and columns as they are to be seen, by EXIF orientation (EXIF 2.32, 0x0112).

    Args:
        array: (H, W) or (H, W, C), as stored.
        orientation: 1 to 8: 2 to 4 are flips and the half turn, 5 to 8 exchange the axes as well.
    """
    return _flipped(np.swapaxes(array, 0, 1) if orientation >= 5 else array, orientation)


def as_stored(upright: Any, orientation: int) -> Any:
    """Return an upright picture as a file of that EXIF orientation stores it: what `turn_upright` undoes."""
    flipped = _flipped(upright, orientation)
    return np.swapaxes(flipped, 0, 1) if orientation >= 5 else flipped


def _flipped(array: Any, orientation: int) -> Any:
    flip_rows = orientation in (3, 4, 7, 8)
    flip_columns = orientation in (2, 3, 6, 7)
    return array[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]
