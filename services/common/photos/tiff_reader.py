"""TIFF: samples by tifffile, their meaning from the file's own tags and never from their number.

What cannot be read right is refused in a sentence: raw photos (whose first picture is a thumbnail), floating-point and
signed samples, Lab, and channels of which no tag says what they are. Source: TIFF 6.0 (1992); TIFF/EP.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

from services.common.errors import InvalidImage
from services.common.photos import exif_block
from services.common.photos.raster import (
    AlphaKind,
    Raster,
    Samples,
    Space,
    as_samples,
    check_size,
    divide_by_alpha,
    is_deep,
    raw_photo,
    scale_to_depth,
)

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_REDUCED, _MASK = 1, 4  # bits of NewSubfileType: a thumbnail, a transparency mask of another picture
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR = 0, 1, 2, 3, 5, 6
_LABS = (8, 9, 10)
_RAW = (32803, 34892)  # colour filter array, linear raw
_COLOURS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _PALETTE: 1, _CMYK: 4, _YCBCR: 3}
_SPACES: dict[int, Space] = {_WHITE_IS_ZERO: "grey", _BLACK_IS_ZERO: "grey", _CMYK: "cmyk"}
_EXTRA: dict[int, AlphaKind] = {0: "unspecified", 1: "associated", 2: "straight"}
_ORIENTATION, _X_RESOLUTION, _Y_RESOLUTION, _UNIT, _XMP, _ICC, _DNG_VERSION = 274, 282, 283, 296, 700, 34675, 50706
_INCH, _CENTIMETRE = 2, 3
_SUBIFDS = 330


def read_tiff(data: bytes, max_pixels: int) -> Raster:
    """Return the first full-size picture of a TIFF file (classic or Big).

    Raises:
        InvalidImage: damaged, too small, or of a kind that cannot be read right.
        ImageTooLarge: more than `max_pixels`, told from the header.
    """
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            pages: list[Any] = [page for page in file.pages if not _subfile(page) & _MASK]
            _refuse_raw(pages)
            full = [page for page in pages if not _subfile(page) & _REDUCED] or pages
            page = full[0]  # without any page tifffile has raised
            check_size(int(page.imagewidth), int(page.imagelength), max_pixels)
            return _read_page(page, data, len(full))
    except (InvalidImage, MemoryError):
        raise
    except Exception as problem:  # noqa: BLE001 - decoders raise what they like on hostile files
        raise InvalidImage(f"the TIFF picture is damaged: {problem}", field="file") from None


def _read_page(page: Any, data: bytes, frames: int) -> Raster:
    photometric, bits = int(page.photometric), _bits_of(page)
    colours = _COLOURS[photometric]
    extras, warnings = _extras_of(page, colours)
    values = _decode(page)
    alpha, kind = None, extras[0] if extras else "none"
    if "straight" in extras or "associated" in extras:
        kind = "straight" if "straight" in extras else "associated"
        alpha = scale_to_depth(values[:, :, colours + extras.index(kind)], bits)
    samples, space = _colours_of(values[:, :, :colours], page, bits)
    if alpha is not None and kind == "associated":
        samples = divide_by_alpha(samples, alpha)
    return Raster(
        samples=as_samples(np.ascontiguousarray(samples), deep=is_deep(samples)),
        space=space,
        alpha=alpha,
        alpha_kind=kind,
        format="TIFF",
        orientation=_orientation_of(page),
        icc=bytes(_tag(page, _ICC) or b""),
        dpi=_dpi_of(page),
        exif=_exif_of(data),
        xmp=_bytes_of(_tag(page, _XMP)),
        frames=frames,
        warnings=warnings,
    )


def _refuse_raw(pages: Sequence[Any]) -> None:
    """Raise for a camera's raw photo: what lies before the raw data is a thumbnail, developing is another program's."""
    for page in pages[:1]:
        subs = page.pages or () if _SUBIFDS in page.tags else ()
        kinds = [int(one.photometric) for one in (page, *subs)]
        if _DNG_VERSION in page.tags or any(kind in _RAW for kind in kinds):
            raise raw_photo(" (DNG or its kin)")


def _bits_of(page: Any) -> int:
    """Return the bits of a sample.

    Raises:
        InvalidImage: samples that are no unsigned integers of one size up to 16 bits.
    """
    formats = {int(one) for one in np.atleast_1d(page.sampleformat)}
    if formats - {1, 4}:  # 4: undefined, which writers use for plain integers
        kind = "floating-point" if 3 in formats else "signed or complex"
        raise InvalidImage(
            f"the TIFF picture's samples are {kind}; wanted whole numbers of up to 16 bits", field="file"
        )
    sizes = {int(one) for one in np.atleast_1d(page.bitspersample)}
    if len(sizes) != 1 or max(sizes) > 16:
        said = ", ".join(map(str, sorted(sizes)))
        raise InvalidImage(f"the TIFF picture has {said} bits a sample; wanted up to 16, all alike", field="file")
    if int(page.photometric) in _LABS or int(page.photometric) not in _COLOURS:
        raise InvalidImage(
            f"the TIFF picture's colours are {page.photometric.name}; wanted grey, RGB, palette, CMYK or YCbCr",
            field="file",
        )
    return sizes.pop()


def _extras_of(page: Any, colours: int) -> tuple[list[AlphaKind], tuple[str, ...]]:
    """Return what the samples beside the colours are, and what a person should know of them.

    Raises:
        InvalidImage: more channels than colours and an alpha, and no tag that says what they are.
    """
    beside = int(page.samplesperpixel) - colours
    if beside < 0:
        raise InvalidImage(f"the TIFF picture has {page.samplesperpixel} channels for {colours} colours", field="file")
    stated = [_EXTRA.get(int(one), "straight") for one in (page.extrasamples or ())][:beside]
    if not stated and beside == 1:
        return ["straight"], ()  # writers that leave the tag out (OpenCV among them) mean alpha
    stated += ["unspecified"] * (beside - len(stated))
    unknown = stated.count("unspecified")
    if colours == 1 and unknown > 1:
        raise InvalidImage(
            f"the TIFF picture has {page.samplesperpixel} channels and does not say what they are; wanted grey or "
            "colour with at most one alpha channel",
            field="file",
        )
    said = f"{unknown} channel{'s' if unknown > 1 else ''} beside the colours, of unstated meaning, left out"
    return stated, (said,) if unknown else ()


def _decode(page: Any) -> npt.NDArray[Any]:
    """Return (H, W, C) samples as stored; separate planes are put side by side."""
    values = np.asarray(page.asarray(maxworkers=1))
    if values.ndim == 2:
        return values[:, :, None]
    if values.ndim != 3:
        raise InvalidImage(
            f"the TIFF picture has {values.ndim} dimensions; wanted height, width, channels", field="file"
        )
    if int(page.planarconfig) == 2 and values.shape[0] == int(page.samplesperpixel):
        return np.moveaxis(values, 0, 2)
    return values


def _colours_of(values: npt.NDArray[Any], page: Any, bits: int) -> tuple[Samples, Space]:
    photometric = int(page.photometric)
    if photometric == _PALETTE:
        table = np.asarray(page.colormap)  # (3, entries), 16 bits; some writers fill in only the lower eight
        entries = table[:, values[:, :, 0].astype(np.int64)]
        return as_samples(np.moveaxis(entries >> 8 if table.max() > 255 else entries, 0, 2), deep=False), "rgb"
    samples = scale_to_depth(values, bits)
    if photometric == _WHITE_IS_ZERO:
        samples = as_samples(np.iinfo(samples.dtype).max - samples, deep=is_deep(samples))
    return samples, _SPACES.get(photometric, "rgb")


def _exif_of(data: bytes) -> bytes:
    """Return the camera's fields as a block of their own, without what describes how this file stores its pixels."""
    exif = Image.Exif()
    try:
        exif.load(data)
    except Exception:  # noqa: BLE001 - a broken directory costs the fields, not the photo
        return b""
    return exif_block.of_fields(exif)


def _orientation_of(page: Any) -> int:
    value = _tag(page, _ORIENTATION)
    return int(value) if isinstance(value, int) and 1 <= value <= 8 else 1


def _dpi_of(page: Any) -> tuple[float, float] | None:
    scale = {_INCH: 1.0, _CENTIMETRE: 2.54}.get(int(_tag(page, _UNIT) or _INCH))
    across, down = _ratio(_tag(page, _X_RESOLUTION)), _ratio(_tag(page, _Y_RESOLUTION))
    return (across * scale, down * scale) if scale and across and down else None


def _ratio(value: object) -> float:
    if isinstance(value, tuple) and len(value) == 2 and value[1]:
        return float(value[0]) / float(value[1])
    return 0.0


def _subfile(page: Any) -> int:
    return int(getattr(page, "subfiletype", 0) or 0)


def _tag(page: Any, code: int) -> Any:
    tag = page.tags.get(code)
    return None if tag is None else tag.value


def _bytes_of(value: object) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value) if isinstance(value, bytes | bytearray) else b""
