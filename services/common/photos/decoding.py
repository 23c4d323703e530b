"""A picture file to upright pixels, by its content and never by its name.

Nothing here trusts the file: the size is read from the header before any pixel is decoded, only listed formats are
tried, checksums are checked, and a picture that stops halfway is refused instead of served half grey. Run it through
`decode_pool.py`, in a process with limits of its own.
"""

from __future__ import annotations

import contextlib
import io
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

from services.common.arrays import RGB, Alpha, InverseDepth, Pixels
from services.common.errors import ImageTooLarge, InvalidImage
from services.common.photos import colour, exif_block, png_reader, tiff_reader, xmp_packet
from services.common.photos.limits import MAX_PIXELS
from services.common.photos.metadata import Metadata
from services.common.photos.pillow_reader import read_by_pillow
from services.common.photos.raster import MIN_SIDE_PX, AlphaKind, Raster, Samples, to_8_bits, turn_upright

WORKING_SIDE_PX = 1024  # long side of what the networks and refinements see
TELLING_ALPHA = 0.1  # of full scale: a channel that varies less says nothing of what is subject
MOST_LABELS = 16  # whole numbers up to here are labels of parts; a soft scale goes further
_NPY = b"\x93NUMPY"


@dataclass(frozen=True)
class Photo:
    """A decoded photo.

    `pixels` are (H, W, 3) uint8 or uint16 in the photo's own colours; `working` is a copy for the networks, (h, w, 3)
    uint8 sRGB with a long side of at most `WORKING_SIDE_PX`; `own_alpha` is (H, W) of the pixels' type, or None without
    an alpha channel. All upright.
    """

    pixels: Pixels
    working: RGB
    own_alpha: Samples | None
    metadata: Metadata
    format: str
    orientation: int
    frames: int
    alpha_kind: AlphaKind = "none"
    warnings: tuple[str, ...] = ()
    focal_ratio: float | None = None  # focal length over the long side, from EXIF's 35 mm equivalent

    @property
    def bit_depth(self) -> int:
        """8 or 16."""
        return self.pixels.dtype.itemsize * 8


def decode_photo(data: bytes, max_pixels: int = MAX_PIXELS) -> Photo:
    """Return the first frame of `data`, upright.

    Raises:
        InvalidImage: empty, not a picture, damaged, smaller than `MIN_SIDE_PX`, or of a kind that cannot be read right.
        ImageTooLarge: more than `max_pixels`, told from the header.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a file's oddities are judged by what can be decoded
        return _photo_of(read_raster(data, max_pixels))


def read_raster(data: bytes, max_pixels: int = MAX_PIXELS) -> Raster:
    """Return the first frame of `data` as the file stores it.

    Raises:
        InvalidImage, ImageTooLarge: as `decode_photo`.
    """
    if not data:
        raise InvalidImage("the file is empty; wanted a picture", field="file")
    if data.startswith(png_reader.SIGNATURE):
        return png_reader.read_png(data, max_pixels)
    if data.startswith(tiff_reader.SIGNATURES):
        return tiff_reader.read_tiff(data, max_pixels)
    return read_by_pillow(data, max_pixels)


def decode_mask(data: bytes, max_pixels: int = MAX_PIXELS) -> Alpha:
    """Return a supplied mask as (H, W) float32 in [0, 1], larger is subject: a picture's, an NPY's or an NPZ's.

    A picture's alpha channel is the mask where it tells apart, else its colours are: browsers and paint programs add an
    opaque channel to grey pictures. Masks are numbers, not light: no colour profile is applied to them.

    Raises:
        InvalidImage: it is none of these, or not two-dimensional; the sentence names the mask.
        ImageTooLarge: more than `max_pixels`.
    """
    if _is_array(data):
        return mask_of_values(_array_of(data, "mask", max_pixels))
    raster = _named("mask", read_raster, data, max_pixels)
    if raster.alpha is not None and int(np.ptp(raster.alpha)) > TELLING_ALPHA * np.iinfo(raster.alpha.dtype).max:
        values: npt.NDArray[Any] = raster.alpha
    else:
        ink = raster.space == "cmyk"
        values = np.iinfo(raster.samples.dtype).max - raster.samples.min(axis=2) if ink else raster.samples.max(axis=2)
    return mask_of_values(np.ascontiguousarray(turn_upright(values, raster.orientation)))


def mask_of_values(values: npt.NDArray[Any]) -> Alpha:
    """Return a mask of whatever numbers programs write: 0 and 1, 0 and 255, small labels, a soft scale.

    Where there are two values the larger one is subject. A few small whole numbers are labels of parts, and 0 is none.

    Args:
        values: (H, W) bool, whole numbers or finite floats.
    Returns:
        (H, W) float32 in [0, 1].
    """
    if values.dtype == np.bool_:
        return np.asarray(values, dtype=np.float32)
    lowest, largest = values.min(), values.max()
    if lowest < largest and bool(((values == lowest) | (values == largest)).all()):
        return np.asarray(values == largest, dtype=np.float32)
    is_whole = values.dtype.kind in "iu"
    if is_whole and 1 < largest <= MOST_LABELS:
        return np.asarray(values > 0, dtype=np.float32)
    full = 1.0 if largest <= 1 else 255.0 if largest <= 255 else 65535.0
    return np.asarray(np.clip(values.astype(np.float32) / np.float32(full), 0, 1), dtype=np.float32)


def decode_depth(data: bytes, max_pixels: int = MAX_PIXELS) -> InverseDepth:
    """Return a supplied inverse depth as (H, W) float32, larger is nearer: an NPY's or NPZ's array, or a grey picture.

    Raises:
        InvalidImage: it is none of these, or not two-dimensional; the sentence names the depth map.
        ImageTooLarge: more than `max_pixels`.
    """
    if _is_array(data):
        return np.asarray(_array_of(data, "depth", max_pixels), dtype=np.float32)
    raster = _named("depth map", read_raster, data, max_pixels)
    values = turn_upright(raster.samples, raster.orientation).astype(np.float32).mean(axis=2)
    return np.asarray(values, dtype=np.float32)


def _named(what: str, read: Callable[[bytes, int], Raster], data: bytes, max_pixels: int) -> Raster:
    """Read what stands beside a photo; errors say which file they are about."""
    field = what.partition(" ")[0]
    try:
        return read(data, max_pixels)
    except ImageTooLarge as problem:
        raise ImageTooLarge(f"the {what} cannot be used: {problem.message}", field=field) from None
    except InvalidImage as problem:
        raise InvalidImage(f"the {what} cannot be read: {problem.message}", field=field) from None


def _photo_of(raster: Raster) -> Photo:
    # A profile is kept where it is needed. A gamma alone is applied: hardly any program reads one.
    keeps = raster.space == "rgb" and not raster.fits_srgb and colour.space_of_profile(raster.icc) == "rgb"
    icc = raster.icc if keeps else b""
    colours = raster.samples if keeps else colour.to_srgb(raster.samples, raster.space, raster.icc)
    pixels = np.ascontiguousarray(turn_upright(colours, raster.orientation))
    height, width = pixels.shape[:2]
    return Photo(
        pixels=pixels,
        working=_working_image(pixels, icc),
        own_alpha=None
        if raster.alpha is None
        else np.ascontiguousarray(turn_upright(raster.alpha, raster.orientation)),
        metadata=Metadata(
            _exif_upright(raster.exif, width, height),
            icc,
            xmp_packet.make_upright(raster.xmp, width, height),
            _dpi_upright(raster.dpi, raster.orientation),
        ),
        format=raster.format,
        orientation=raster.orientation,
        frames=raster.frames,
        alpha_kind=raster.alpha_kind,
        warnings=raster.warnings,
        focal_ratio=_focal_ratio_of(raster.exif),
    )


def _dpi_upright(dpi: tuple[float, float] | None, orientation: int) -> tuple[float, float] | None:
    return (dpi[1], dpi[0]) if dpi is not None and orientation >= 5 else dpi


def _exif_upright(exif: bytes, width: int, height: int) -> bytes:
    with contextlib.suppress(ValueError):  # a broken EXIF block is not worth losing the photo
        return exif_block.make_upright(exif, width, height)
    return b""


def _focal_ratio_of(exif: bytes) -> float | None:
    """Focal length over the long side: the 35 mm equivalent is stated for a frame 36 mm wide (EXIF 2.32, 0xA405)."""
    with contextlib.suppress(Exception):  # without it a normal lens is assumed
        fields = Image.Exif()
        fields.load(exif)
        equivalent = float(fields.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.FocalLengthIn35mmFilm, 0))
        return equivalent / 36.0 if 8 <= equivalent <= 1200 else None
    return None


def _working_image(pixels: Pixels, icc: bytes) -> RGB:
    height, width = pixels.shape[:2]
    scale = min(1.0, WORKING_SIDE_PX / max(height, width))
    small: npt.NDArray[Any] = np.ascontiguousarray(pixels)
    if scale < 1.0:
        size = (max(MIN_SIDE_PX, round(width * scale)), max(MIN_SIDE_PX, round(height * scale)))
        small = np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_AREA))
    return np.array(colour.to_srgb(to_8_bits(small), "rgb", icc), dtype=np.uint8)


def _is_array(data: bytes) -> bool:
    return data.startswith(_NPY) or zipfile.is_zipfile(io.BytesIO(data))


def _array_of(data: bytes, field: str, max_pixels: int) -> npt.NDArray[Any]:
    try:
        found = np.load(io.BytesIO(data), allow_pickle=False)
        if isinstance(found, np.ndarray):
            values = found
        else:
            with found as archive:
                names = archive.files
                if len(names) != 1:
                    raise InvalidImage(f"the {field} file holds {len(names)} arrays; wanted one", field=field)
                values = np.asarray(archive[names[0]])
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, KeyError) as problem:
        raise InvalidImage(f"the {field} file is not a readable NPY or NPZ: {problem}", field=field) from None
    values = values[:, :, 0] if values.ndim == 3 and values.shape[2] == 1 else values
    values = values[0] if values.ndim == 3 and values.shape[0] == 1 else values
    if values.ndim != 2 or values.dtype.kind not in "buif" or min(values.shape) < 1:
        raise InvalidImage(f"the {field} array is {values.dtype} {values.shape}; wanted numbers (H, W)", field=field)
    if values.size > max_pixels:
        raise ImageTooLarge(f"the {field} array has {values.size} values; the limit is {max_pixels}", field=field)
    return values
