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
import zlib
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from services.common.arrays import RGB, Alpha, InverseDepth, Pixels
from services.common.errors import ImageTooLarge, InvalidImage
from services.common.photos import exif_block, xmp_packet
from services.common.photos.limits import MAX_PIXELS
from services.common.photos.metadata import Metadata

MIN_SIDE_PX = 8
WORKING_SIDE_PX = 1024  # long side of what the networks and refinements see

# What people's cameras and tools write. Left out on purpose: formats that run programs (EPS, PDF) or are never photos.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "JPEG2000", "PPM", "AVIF", "HEIF")
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_ORIENTATION = ExifTags.Base.Orientation

with contextlib.suppress(ImportError):  # HEIC is read where the decoder is installed
    import pillow_heif

    pillow_heif.register_heif_opener()

Image.init()  # registers the decoders that are installed
Image.MAX_IMAGE_PIXELS = None  # our own limit is checked before decoding, with a sentence


@dataclass(frozen=True)
class Photo:
    """A decoded photo.

    `pixels` are (H, W, 3) uint8 or uint16 in the photo's own colours; `working` is a copy for the networks, (h, w, 3)
    uint8 sRGB with a long side of at most `WORKING_SIDE_PX`; `own_alpha` is (H, W) uint8, or None without an alpha
    channel. All upright.
    """

    pixels: Pixels
    working: RGB
    own_alpha: npt.NDArray[np.uint8] | None
    metadata: Metadata
    format: str
    orientation: int
    frames: int
    focal_ratio: float | None = None  # focal length over the long side, from EXIF's 35 mm equivalent

    @property
    def bit_depth(self) -> int:
        """8 or 16."""
        return self.pixels.dtype.itemsize * 8


def decode_photo(data: bytes, max_pixels: int = MAX_PIXELS) -> Photo:
    """Return the first frame of `data`, upright.

    Raises:
        InvalidImage: empty, not a picture, damaged, or smaller than `MIN_SIDE_PX`.
        ImageTooLarge: more than `max_pixels`, told from the header.
    """
    if not data:
        raise InvalidImage("the file is empty; wanted a picture", field="file")
    _check_png(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a file's oddities are judged by what can be decoded
        picture = _open(data)
        _check_size(picture.size, max_pixels)
        try:
            return _decode(picture, data)
        except (MemoryError, InvalidImage):
            raise
        except Exception as problem:  # noqa: BLE001 - decoders raise what they like on hostile files
            raise InvalidImage(f"the {picture.format} picture is damaged: {problem}", field="file") from None


def decode_mask(data: bytes, max_pixels: int = MAX_PIXELS) -> Alpha:
    """Return a supplied mask as (H, W) float32 in [0, 1]: a picture's alpha channel, else its grey; or an NPZ's array.

    An alpha channel that is opaque everywhere says nothing: browsers and paint programs add one to grey pictures.

    Raises:
        InvalidImage: it is neither, or not two-dimensional.
        ImageTooLarge: more than `max_pixels`.
    """
    if zipfile.is_zipfile(io.BytesIO(data)):
        values = _array_of(data, "mask", max_pixels)
        largest = 1.0 if values.dtype == np.bool_ or values.max(initial=0) <= 1 else _full_scale(values.dtype)
        return np.asarray(np.clip(values.astype(np.float32) / largest, 0, 1), dtype=np.float32)
    photo = decode_photo(data, max_pixels)
    if photo.own_alpha is not None and photo.own_alpha.min() < 255:
        return np.asarray(photo.own_alpha, dtype=np.float32) / np.float32(255)
    grey = photo.pixels.astype(np.float32).mean(axis=2) / _full_scale(photo.pixels.dtype)
    return np.asarray(grey, dtype=np.float32)


def decode_depth(data: bytes, max_pixels: int = MAX_PIXELS) -> InverseDepth:
    """Return a supplied inverse depth as (H, W) float32, larger is nearer: an NPZ's one array, or a grey picture.

    Raises:
        InvalidImage: it is neither, or not two-dimensional.
        ImageTooLarge: more than `max_pixels`.
    """
    if zipfile.is_zipfile(io.BytesIO(data)):
        return np.asarray(_array_of(data, "depth", max_pixels), dtype=np.float32)
    photo = decode_photo(data, max_pixels)
    return np.asarray(photo.pixels.astype(np.float32).mean(axis=2), dtype=np.float32)


def _decode(picture: Image.Image, data: bytes) -> Photo:
    frames = int(getattr(picture, "n_frames", 1))
    picture.load()
    orientation = _orientation_of(picture)
    pixels, alpha, icc = _pixels_of(picture, data)
    pixels = np.ascontiguousarray(_upright(pixels, orientation))
    return Photo(
        pixels=pixels,
        working=_working_image(pixels, icc),
        own_alpha=None if alpha is None else np.ascontiguousarray(_upright(alpha, orientation)),
        metadata=Metadata(_exif_of(picture, pixels.shape), icc, _xmp_of(picture, pixels.shape)),
        format=picture.format or "?",
        orientation=orientation,
        frames=frames,
        focal_ratio=_focal_ratio_of(picture),
    )


def _check_png(data: bytes) -> None:
    """PNG decoders skip checksums of image data; a flipped byte must not pass as a picture."""
    if not data.startswith(_PNG_SIGNATURE):
        return
    position = len(_PNG_SIGNATURE)
    while position + 12 <= len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        kind = data[position + 4 : position + 8]
        end = position + 8 + length
        if end + 4 > len(data):
            break  # truncated: decoding says so
        if zlib.crc32(data[position + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            raise InvalidImage(f"the PNG picture is damaged: checksum of its {kind!r} chunk is wrong", field="file")
        if kind == b"IEND":
            return
        position = end + 4
    raise InvalidImage("the PNG picture is damaged: it ends before its end mark", field="file")


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


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise ImageTooLarge(
            f"photo is {width} × {height} px; the limit is {max_pixels / 1e6:.0f} Mpx (--max-pixels)", field="file"
        )
    if min(width, height) < MIN_SIDE_PX:
        raise InvalidImage(f"photo is {width} × {height} px; wanted at least {MIN_SIDE_PX} px a side", field="file")


def _pixels_of(picture: Image.Image, data: bytes) -> tuple[Pixels, npt.NDArray[np.uint8] | None, bytes]:
    """Return (H, W, 3) pixels, own alpha and the ICC profile they are in; not yet upright."""
    icc = bytes(picture.info.get("icc_profile") or b"")
    deep = _deep_pixels(picture, data)
    if deep is not None:
        pixels, alpha = deep
        return pixels, alpha, icc if _profile_is_rgb(icc) else b""
    if picture.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        return _from_single_channel(picture), None, b""
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        rgba = np.asarray(picture.convert("RGBA"))
        return rgba[:, :, :3], rgba[:, :, 3], icc if _profile_is_rgb(icc) else b""
    if picture.mode in ("RGB", "P") and (not icc or _profile_is_rgb(icc)):
        return np.asarray(picture.convert("RGB")), None, icc
    return np.asarray(_to_srgb(picture, icc)), None, b""


def _deep_pixels(picture: Image.Image, data: bytes) -> tuple[Pixels, npt.NDArray[np.uint8] | None] | None:
    """16 bits a channel in colour: Pillow would drop the lower eight, OpenCV keeps them."""
    deep = picture.format in ("PNG", "TIFF") and picture.mode in ("RGB", "RGBA", "LA")
    if not deep or int(getattr(picture, "n_frames", 1)) > 1 or not _states_16_bits(picture, data):
        return None
    flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
    found: npt.NDArray[Any] | None = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
    if found is None or found.dtype != np.uint16 or found.ndim != 3:
        return None
    alpha = (found[:, :, 3] >> 8).astype(np.uint8) if found.shape[2] == 4 else None
    return np.ascontiguousarray(found[:, :, 2::-1]), alpha


def _states_16_bits(picture: Image.Image, data: bytes) -> bool:
    if picture.format == "PNG":
        return data[24] == 16  # bit depth, the ninth byte of IHDR
    bits = getattr(picture, "tag_v2", {}).get(258, (8,))
    return all(b == 16 for b in np.atleast_1d(bits))


def _from_single_channel(picture: Image.Image) -> Pixels:
    values = np.asarray(picture)
    if values.dtype == np.uint16 or (values.dtype.kind == "i" and values.min() >= 0 and values.max() <= 65535):
        grey = values.astype(np.uint16)
    elif values.dtype.kind == "f" and np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1:
        grey = np.rint(values * 65535).astype(np.uint16)
    else:
        raise InvalidImage("the picture's values are neither 16-bit nor between 0 and 1", field="file")
    colour: npt.NDArray[np.uint16] = np.repeat(grey[:, :, None], 3, axis=2)
    return colour


def _profile_is_rgb(icc: bytes) -> bool:
    return len(icc) > 20 and icc[16:20] == b"RGB "


def _to_srgb(picture: Image.Image, icc: bytes) -> Image.Image:
    if icc:
        with contextlib.suppress(ImageCms.PyCMSError, OSError, ValueError):
            source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            converted = ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
            if converted is not None:
                return converted
    return picture.convert("RGB")


def _orientation_of(picture: Image.Image) -> int:
    with contextlib.suppress(Exception):  # a broken EXIF block costs the orientation, not the photo
        value = int(picture.getexif().get(_ORIENTATION, 1))
        return value if 1 <= value <= 8 else 1
    return 1


def _upright(array: Any, orientation: int) -> Any:
    """Apply EXIF orientation: 2–4 flips and half turn, 5–8 with the axes exchanged."""
    if orientation in (5, 6, 7, 8):
        array = np.swapaxes(array, 0, 1)
    flip_rows = orientation in (3, 4, 7, 8)
    flip_columns = orientation in (2, 3, 6, 7)
    return array[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]


def _focal_ratio_of(picture: Image.Image) -> float | None:
    """Focal length over the long side: the 35 mm equivalent is stated for a frame 36 mm wide (EXIF 2.32, 0xA405)."""
    with contextlib.suppress(Exception):  # without it a normal lens is assumed
        equivalent = float(picture.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.FocalLengthIn35mmFilm, 0))
        return equivalent / 36.0 if 8 <= equivalent <= 1200 else None
    return None


def _exif_of(picture: Image.Image, shape: tuple[int, ...]) -> bytes:
    with contextlib.suppress(Exception):  # a broken EXIF block is not worth losing the photo
        block = picture.info.get("exif") or _exif_of_tags(picture)
        return exif_block.make_upright(block, shape[1], shape[0])
    return b""


def _exif_of_tags(picture: Image.Image) -> bytes:
    """Return the block of a format that keeps EXIF among its own fields (TIFF), without what describes its storage."""
    exif = picture.getexif()
    for tag in [tag for tag in exif if tag in exif_block.STORAGE_TAGS]:
        del exif[tag]
    if not exif:
        return b""
    for fields in (exif, exif.get_ifd(ExifTags.IFD.Exif)):
        for tag, value in list(fields.items()):
            if isinstance(value, str) and not value.isascii():
                fields[tag] = value.encode("latin-1", "replace")  # Pillow writes "?" for these
    return bytes(exif.tobytes())


def _xmp_of(picture: Image.Image, shape: tuple[int, ...]) -> bytes:
    found = picture.info.get("xmp") or picture.info.get("XML:com.adobe.xmp") or b""
    packet = found.encode() if isinstance(found, str) else bytes(found)
    return xmp_packet.make_upright(packet, shape[1], shape[0])


def _working_image(pixels: Pixels, icc: bytes) -> RGB:
    height, width = pixels.shape[:2]
    scale = min(1.0, WORKING_SIDE_PX / max(height, width))
    small: npt.NDArray[Any] = np.ascontiguousarray(pixels)
    if scale < 1.0:
        size = (max(MIN_SIDE_PX, round(width * scale)), max(MIN_SIDE_PX, round(height * scale)))
        small = np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_AREA))
    if small.dtype == np.uint16:
        small = np.rint(small.astype(np.float32) / 257.0).astype(np.uint8)
    if not icc:
        return np.asarray(small, dtype=np.uint8)
    return np.array(_to_srgb(Image.fromarray(small), icc), dtype=np.uint8)


def _array_of(data: bytes, field: str, max_pixels: int) -> npt.NDArray[Any]:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            names = archive.files
            if len(names) != 1:
                raise InvalidImage(f"the {field} file holds {len(names)} arrays; wanted one", field=field)
            values = np.asarray(archive[names[0]])
    except (ValueError, OSError, zipfile.BadZipFile, KeyError) as problem:
        raise InvalidImage(f"the {field} file is not a readable NPZ: {problem}", field=field) from None
    if values.ndim != 2 or values.dtype.kind not in "buif" or min(values.shape) < 1:
        raise InvalidImage(f"the {field} array is {values.dtype} {values.shape}; wanted numbers (H, W)", field=field)
    if values.size > max_pixels:
        raise ImageTooLarge(f"the {field} array has {values.size} values; the limit is {max_pixels}", field=field)
    return values


def _full_scale(dtype: np.dtype[Any]) -> float:
    return float(np.iinfo(dtype).max) if dtype.kind in "iu" else 1.0
