"""Every other format by Pillow, with what each says of colour, alpha and orientation read before anything is turned."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from services.common.errors import InvalidImage
from services.common.photos import colour, exif_block
from services.common.photos.raster import AlphaKind, Raster, Samples, Space, check_size, raw_photo

# What people's cameras and tools write. Left out on purpose: formats that run programs (EPS, PDF) or are never photos.
FORMATS = ("JPEG", "MPO", "WEBP", "GIF", "BMP", "JPEG2000", "PPM", "AVIF", "HEIF")
_END_OF_IMAGE = b"\xff\xd9"
_FILLER = bytes(range(1, 255)) * 2  # no 0xFF: to a decoder it is more of the picture
_RAW_SIGNATURES = (
    (0, b"FUJIFILMCCD-RAW"), (0, b"IIRO"), (0, b"IIRS"), (0, b"MMOR"), (0, b"IIU\0"), (0, b"\0MRM"), (4, b"ftypcrx "),
    (0, b"FOVb"),
)  # fmt: skip
"""Raw photos that are no TIFF: Fujifilm, Olympus, Panasonic, Minolta, Canon CR3, Sigma."""
_ADOBE_RGB, _UNCALIBRATED, _COLOUR_SPACE, _INTEROPERABILITY_INDEX = "R03", 0xFFFF, 0xA001, 1

with contextlib.suppress(ImportError):  # HEIC is read where the decoder is installed
    import pillow_heif

    pillow_heif.register_heif_opener()

Image.init()  # registers the decoders that are installed
Image.MAX_IMAGE_PIXELS = None  # our own limit is checked before decoding, with a sentence


def read_by_pillow(data: bytes, max_pixels: int) -> Raster:
    """Return the first picture of a file.

    Raises:
        InvalidImage: in no known format, damaged, too small, or a raw photo.
        ImageTooLarge: more than `max_pixels`, told from the header.
    """
    if any(data.startswith(mark, at) for at, mark in _RAW_SIGNATURES):
        raise raw_photo()
    picture = _open(data)
    check_size(*picture.size, max_pixels)
    try:
        picture, warnings = _load(picture, data)
        return _raster(picture, warnings)
    except (MemoryError, InvalidImage):
        raise
    except Exception as problem:  # noqa: BLE001 - decoders raise what they like on hostile files
        raise InvalidImage(f"the {picture.format} picture is damaged: {problem}", field="file") from None


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=[name for name in FORMATS if name in Image.OPEN])
    except UnidentifiedImageError:
        raise InvalidImage(
            "the file is not a picture in a known format (JPEG, PNG, WebP, TIFF, GIF, BMP, HEIC, AVIF)", field="file"
        ) from None
    except MemoryError:
        raise
    except Exception as problem:  # noqa: BLE001 - decoders raise what they like on hostile files
        raise InvalidImage(f"the picture's header is damaged: {problem}", field="file") from None


def _load(picture: Image.Image, data: bytes) -> tuple[Image.Image, tuple[str, ...]]:
    """Decode; a JPEG that lacks nothing but its end mark is read all the same."""
    try:
        picture.load()
    except OSError:
        whole = _with_end_mark(data) if picture.format in ("JPEG", "MPO") else None
        if whole is None:
            raise
        return whole, ("the JPEG picture lacks its end mark; all of its pixels are there",)
    return picture, ()


def _with_end_mark(data: bytes) -> Image.Image | None:
    """Return the picture of a JPEG file without its end mark, or None where some of its pixels are lost as well.

    A decoder that has all pixels skips what stands before the end mark; one that lacks some takes it for them.
    """
    found = []
    for filler in (b"", _FILLER):
        picture = Image.open(io.BytesIO(data + filler + _END_OF_IMAGE), formats=["JPEG"])
        picture.load()
        found.append(picture)
    plain, filled = found
    return plain if plain.tobytes() == filled.tobytes() else None


def _raster(picture: Image.Image, warnings: tuple[str, ...]) -> Raster:
    exif = bytes(picture.info.get("exif") or b"")
    samples, space, alpha, kind = _samples_of(picture)
    xmp = picture.info.get("xmp") or b""
    return Raster(
        samples=samples,
        space=space,
        alpha=alpha,
        alpha_kind=kind,
        format="JPEG" if picture.format == "MPO" else picture.format or "?",
        orientation=exif_block.orientation_of(exif),
        icc=_profile_of(picture, space),
        dpi=_dpi_of(picture),
        exif=exif,
        xmp=xmp.encode() if isinstance(xmp, str) else bytes(xmp),
        frames=1 if picture.format == "MPO" else int(getattr(picture, "n_frames", 1)),
        warnings=warnings,
    )


def _samples_of(picture: Image.Image) -> tuple[Samples, Space, Samples | None, AlphaKind]:
    mode = picture.mode
    if mode in ("I;16", "I;16B", "I;16L", "I"):
        return _deep_grey(picture), "grey", None, "none"
    if mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        rgba = np.asarray(picture.convert("RGBA"))
        kind: AlphaKind = "straight" if mode in ("RGBA", "LA", "PA", "RGBa", "La") else "colour key"
        return np.ascontiguousarray(rgba[:, :, :3]), "rgb", np.ascontiguousarray(rgba[:, :, 3]), kind
    if mode == "CMYK":
        return np.asarray(picture), "cmyk", None, "none"
    if mode in ("L", "1"):
        return np.asarray(picture.convert("L"))[:, :, None], "grey", None, "none"
    if mode == "F":
        raise InvalidImage(
            "the picture's samples are floating-point; wanted whole numbers of up to 16 bits", field="file"
        )
    return np.asarray(picture.convert("RGB")), "rgb", None, "none"


def _deep_grey(picture: Image.Image) -> Samples:
    values = np.asarray(picture)
    if values.min() < 0 or values.max() > 65535:
        raise InvalidImage("the picture's values are larger than 16 bits", field="file")
    return np.asarray(values[:, :, None], dtype=np.uint16)


def _profile_of(picture: Image.Image, space: Space) -> bytes:
    icc = bytes(picture.info.get("icc_profile") or b"")
    if icc:
        return icc
    stated: Any = picture.info.get("nclx_profile")  # HEIF's colours by numbers
    if stated:
        numbers = int(stated["color_primaries"]), int(stated["transfer_characteristics"])
        return colour.profile_of_h273(*numbers, grey=space == "grey") or b""
    return colour.adobe_rgb_profile() if space == "rgb" and _says_adobe_rgb(picture) else b""


def _says_adobe_rgb(picture: Image.Image) -> bool:
    """Tell whether EXIF states Adobe RGB: no calibrated space, and index R03 (DCF 2.0)."""
    with contextlib.suppress(Exception):  # a broken EXIF block says nothing
        details = picture.getexif().get_ifd(ExifTags.IFD.Exif)
        index = details.get(ExifTags.IFD.Interop, {})
        said = index.get(_INTEROPERABILITY_INDEX, "") if isinstance(index, dict) else ""
        said = said or picture.getexif().get_ifd(ExifTags.IFD.Interop).get(_INTEROPERABILITY_INDEX, "")
        return bool(details.get(_COLOUR_SPACE) == _UNCALIBRATED and str(said).startswith(_ADOBE_RGB))
    return False


def _dpi_of(picture: Image.Image) -> tuple[float, float] | None:
    dpi = picture.info.get("dpi")
    with contextlib.suppress(TypeError, ValueError, ZeroDivisionError):
        across, down = (float(value) for value in dpi or ())
        return (across, down) if across > 0 and down > 0 else None
    return None
