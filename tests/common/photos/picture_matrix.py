"""Small pictures in every way that files say what they hold, each with what a reader has to find in it.

The truth is made first; each file is that truth in another guise: format, bit depth, channels, planes, photometric
meaning, kind of alpha, compression, tiles, byte order, profile, orientation.
"""

from __future__ import annotations

import io
import itertools
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

WIDTH, HEIGHT = 24, 20
LINEAR_GREY = imagecodecs.cms_profile("gray", whitepoint=(0.3127, 0.3290), gamma=1.0)
LINEAR_RGB = imagecodecs.cms_profile(
    "rgb", whitepoint=(0.3127, 0.3290), primaries=(0.64, 0.33, 0.30, 0.60, 0.15, 0.06), gamma=1.0
)


@dataclass(frozen=True)
class Case:
    """One file and its truth, as stored (not yet upright).

    Attributes:
        colours: (H, W, 1, 3 or 4 for CMYK) uint8 or uint16, white the largest value, straight.
        alpha: (H, W), or None.
        tolerance: largest difference that the format itself causes.
        profile: "", "grey" (linear) or "rgb" (linear).
    """

    name: str
    data: bytes
    colours: np.ndarray
    alpha: np.ndarray | None
    orientation: int = 1
    tolerance: int = 0
    profile: str = ""

    @property
    def upright(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Colours and alpha, turned."""
        return turn(self.colours, self.orientation), None if self.alpha is None else turn(self.alpha, self.orientation)


def turn(array: np.ndarray, orientation: int) -> np.ndarray:
    """Return the array upright, by EXIF's table of what row 0 and column 0 show."""
    steps = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: np.flipud(np.rot90(a)),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.flipud(np.rot90(a, -1)),
        8: np.rot90,
    }
    return np.ascontiguousarray(steps[orientation](array))


def truth(channels: int, dtype: type[np.unsignedinteger[Any]]) -> np.ndarray:
    """Return (HEIGHT, WIDTH, channels): slopes with one corner marked, so that every turn and swap shows."""
    full = np.iinfo(dtype).max
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    planes = [x / WIDTH, y / HEIGHT, (x + y) / (WIDTH + HEIGHT), (x * 3 % WIDTH) / WIDTH][:channels]
    values = np.stack(planes, axis=2) * 0.8 + 0.1
    values[:4, :6, 0] = 0.95
    return np.rint(values * full).astype(dtype)


def alpha_truth(dtype: type[np.unsignedinteger[Any]]) -> np.ndarray:
    """Return (HEIGHT, WIDTH): clear, soft and opaque columns."""
    x = np.mgrid[0:HEIGHT, 0:WIDTH][1]
    return np.rint(np.clip((x - 4) / 12, 0, 1) * np.iinfo(dtype).max).astype(dtype)


def tiff_cases() -> Iterator[Case]:
    """TIFF: depth × photometric meaning × alpha × planes × compression × tiles × byte order, and profiles, turns."""
    depths = (np.uint8, np.uint16)
    kinds = (("minisblack", 1), ("miniswhite", 1), ("rgb", 3), ("separated", 4))
    alphas = ("none", "unassalpha", "assocalpha", "unspecified")
    compressions = (None, "lzw", "zlib", "packbits")
    storages = ((None, "<"), ((16, 16), ">"))
    for dtype, (photometric, channels), alpha, compression, (tile, order) in itertools.product(
        depths, kinds, alphas, compressions, storages
    ):
        if photometric == "separated" and alpha == "assocalpha":
            continue  # ink multiplied by alpha: nobody writes it
        for planar in ("contig", "separate") if channels + (alpha != "none") > 1 else ("contig",):
            yield _tiff(dtype, photometric, channels, alpha, compression, tile, order, planar)
    for orientation, dtype in itertools.product(range(2, 9), depths):
        yield _tiff(dtype, "rgb", 3, "unassalpha", None, None, "<", "contig", orientation)
    for dtype, (photometric, channels) in itertools.product(depths, (("minisblack", 1), ("rgb", 3))):
        for alpha in ("none", "unassalpha"):
            yield _tiff(dtype, photometric, channels, alpha, None, None, "<", "contig", profile=True)
    yield _tiff(np.uint8, "rgb", 3, "none", None, None, "<", "contig", bigtiff=True)


def _tiff(
    dtype: Any, photometric: str, channels: int, alpha: str, compression: str | None, tile: Any, order: str,
    planar: str, orientation: int = 1, *, profile: bool = False, bigtiff: bool = False,
) -> Case:  # fmt: skip
    full = np.iinfo(dtype).max
    colours, matte, tolerance = truth(channels, dtype), None, 0
    stored = colours if photometric != "miniswhite" else full - colours
    layers = [stored]
    if alpha != "none":
        extra = alpha_truth(dtype)
        if alpha == "assocalpha":
            stored = np.rint(colours.astype(float) * extra[:, :, None] / full).astype(dtype)
            colours = np.where(extra[:, :, None] > 0, colours, 0).astype(dtype)
            if photometric == "miniswhite":
                stored = full - stored
            layers, tolerance = [stored], full  # what rounding leaves of dark alpha; see the comparison
        layers.append(extra[:, :, None])
        matte = None if alpha == "unspecified" else extra
    array = np.concatenate(layers, axis=2)
    array = array[:, :, 0] if array.shape[2] == 1 else np.moveaxis(array, 2, 0) if planar == "separate" else array
    out = io.BytesIO()
    kind = ("grey" if channels == 1 else "rgb") if profile else ""
    tifffile.imwrite(
        out, np.ascontiguousarray(array), photometric=photometric, planarconfig=planar if array.ndim == 3 else None,
        extrasamples=None if alpha == "none" else [alpha], compression=compression, tile=tile, byteorder=order,
        iccprofile={"": None, "grey": LINEAR_GREY, "rgb": LINEAR_RGB}[kind], bigtiff=bigtiff, metadata=None,
        extratags=[(274, 3, 1, orientation, True)] if orientation != 1 else [],
    )  # fmt: skip
    words = (
        np.dtype(dtype).name,
        photometric,
        alpha,
        compression or "plain",
        "tiles" if tile else "strips",
        order,
        planar,
    )
    name = f"tiff {' '.join(words)} o{orientation}{' icc' if profile else ''}{' big' if bigtiff else ''}"
    return Case(name, out.getvalue(), colours, matte, orientation, tolerance, kind)


def png_cases() -> Iterator[Case]:
    """PNG: colour type × depth × interlacing, colour keys, palettes, orientation, profiles and colour by numbers."""
    for dtype, channels, has_alpha, level in itertools.product((np.uint8, np.uint16), (1, 3), (False, True), (0, 9)):
        colours, alpha = truth(channels, dtype), alpha_truth(dtype) if has_alpha else None
        yield Case(
            f"png {np.dtype(dtype).name} {channels}{'+alpha' if has_alpha else ''} level {level}",
            png(colours, alpha, level), colours, alpha,
        )  # fmt: skip
    for bits, channels in itertools.product((1, 2, 4), (1,)):
        small = (truth(1, np.uint8).astype(int) >> (8 - bits)).astype(np.uint8)
        full = (small.astype(int) * 255 // ((1 << bits) - 1)).astype(np.uint8)
        yield Case(f"png {bits} bits {channels}", _png_of_rows(small[:, :, 0], bits, 0), full, None)
        table = np.random.default_rng(bits).integers(0, 256, (1 << bits, 3), dtype=np.uint8)
        palette = {b"PLTE": table.tobytes()}
        yield Case(f"png palette {bits}", _png_of_rows(small[:, :, 0], bits, 3, palette), table[small[:, :, 0]], None)
        key = {**palette, b"tRNS": bytes([0])}
        alpha = np.where(small[:, :, 0] == 0, 0, 255).astype(np.uint8)
        yield Case(
            f"png palette {bits} clear", _png_of_rows(small[:, :, 0], bits, 3, key), table[small[:, :, 0]], alpha
        )
    for dtype, channels in itertools.product((np.uint8, np.uint16), (1, 3)):
        colours = truth(channels, dtype)
        chosen = colours[10, 10]
        alpha = np.where((colours == chosen).all(axis=2), 0, np.iinfo(dtype).max).astype(dtype)
        key = {b"tRNS": struct.pack(f">{channels}H", *map(int, chosen))}
        yield Case(f"png {np.dtype(dtype).name} {channels} key", png(colours, None, 6, key), colours, alpha)
        for orientation in range(2, 9):
            turned = {b"eXIf": exif_of(orientation)}
            data = png(colours, None, 6, turned)
            yield Case(f"png {np.dtype(dtype).name} {channels} o{orientation}", data, colours, None, orientation)
        kind = "grey" if channels == 1 else "rgb"
        profile = {"grey": LINEAR_GREY, "rgb": LINEAR_RGB}[kind]
        for said, chunk in (
            ("icc", {b"iCCP": b"p\0\0" + zlib.compress(profile)}),
            ("gamma", {b"gAMA": struct.pack(">I", 100_000)}),
            ("cicp", {b"cICP": bytes([1, 8, 0, 1])}),
        ):
            for alpha in (None, alpha_truth(dtype)):
                data = png(colours, alpha, 6, chunk)
                name = f"png {np.dtype(dtype).name} {channels} {said}{'' if alpha is None else ' alpha'}"
                yield Case(name, data, colours, alpha, profile=kind)


def jpeg_cases() -> Iterator[Case]:
    """JPEG: grey, colour and CMYK × sampling × progressive × orientation × profile."""
    for (mode, channels), progressive in itertools.product((("L", 1), ("RGB", 3), ("CMYK", 4)), (False, True)):
        for orientation in range(1, 9):
            colours = _smooth(channels)
            data = _pillow(colours, mode, "JPEG", orientation, progressive=progressive, quality=100, subsampling=0)
            yield Case(f"jpeg {mode} {progressive} o{orientation}", data, colours, None, orientation, tolerance=6)
    for mode, channels, profile, kind in (("L", 1, LINEAR_GREY, "grey"), ("RGB", 3, LINEAR_RGB, "rgb")):
        colours = _smooth(channels)
        data = _pillow(colours, mode, "JPEG", 1, quality=100, subsampling=0, icc_profile=profile)
        yield Case(f"jpeg {mode} icc", data, colours, None, tolerance=6, profile=kind)


def other_cases() -> Iterator[Case]:
    """WebP, GIF, BMP, PPM and JPEG 2000."""
    for orientation, alpha in itertools.product(range(1, 9), (None, alpha_truth(np.uint8))):
        colours = truth(3, np.uint8)
        mode = "RGB" if alpha is None else "RGBA"
        array = colours if alpha is None else np.dstack([colours, alpha])
        data = _pillow(array, mode, "WEBP", orientation, lossless=True, exact=True)
        yield Case(f"webp {mode} o{orientation}", data, colours, alpha, orientation)
    for form, more in (("BMP", {}), ("PPM", {}), ("JPEG2000", {"irreversible": False})):
        colours = truth(3, np.uint8)
        yield Case(form.lower(), _pillow(colours, "RGB", form, 1, **more), colours, None)
    grey = truth(1, np.uint8)
    yield Case("gif", _pillow(grey, "L", "GIF", 1), np.repeat(grey, 3, axis=2), None)


def all_cases() -> list[Case]:
    """Return every case."""
    return [*tiff_cases(), *png_cases(), *jpeg_cases(), *other_cases()]


def exif_of(orientation: int) -> bytes:
    """Return an EXIF block that states an orientation, without the mark that JPEG sets before it."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes().removeprefix(b"Exif\0\0")


def png(colours: np.ndarray, alpha: np.ndarray | None, level: int, chunks: dict[bytes, bytes] | None = None) -> bytes:
    """Return a PNG file with further chunks before its pixels."""
    array = colours if alpha is None else np.dstack([colours, alpha])
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[array.shape[2]]
    return _png_file(array.shape[1], array.shape[0], array.itemsize * 8, colour_type, _rows(array), level, chunks or {})


def _rows(array: np.ndarray) -> list[bytes]:
    return [row.astype(array.dtype.newbyteorder(">")).tobytes() for row in array]


def _png_of_rows(values: np.ndarray, bits: int, colour_type: int, chunks: dict[bytes, bytes] | None = None) -> bytes:
    shifts = np.arange(bits - 1, -1, -1)
    rows = [np.packbits(((row[:, None] >> shifts) & 1).astype(np.uint8).ravel()).tobytes() for row in values]
    return _png_file(values.shape[1], values.shape[0], bits, colour_type, rows, 6, chunks or {})


def _png_file(
    width: int, height: int, bits: int, colour_type: int, rows: list[bytes], level: int, chunks: dict[bytes, bytes]
) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    pixels = zlib.compress(b"".join(b"\0" + row for row in rows), level)
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    more = b"".join(chunk(kind, body) for kind, body in chunks.items())
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + more + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def _smooth(channels: int) -> np.ndarray:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    planes = [40 + 5 * x, 60 + 6 * y, 200 - 3 * x - 2 * y, 20 + 2 * x][:channels]
    return np.stack(planes, axis=2).astype(np.uint8)


def _pillow(array: np.ndarray, mode: str, form: str, orientation: int, **more: Any) -> bytes:
    values = array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array
    picture = Image.fromarray(np.ascontiguousarray(values), mode)
    if orientation != 1:
        exif = Image.Exif()
        exif[0x0112] = orientation
        more["exif"] = exif
    out = io.BytesIO()
    picture.save(out, form, **more)
    return out.getvalue()
