"""PNG: samples by libpng, everything that is said about them from the file's own chunks.

Decoders skip what they do not need: checksums, colour stated by numbers, orientation. A flipped byte must not pass as a
picture, and colours must be what their maker meant. Source: Portable Network Graphics (Third Edition), W3C 2025.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from services.common.errors import InvalidImage
from services.common.photos import colour, exif_block
from services.common.photos.metadata import METRES_AN_INCH
from services.common.photos.raster import AlphaKind, Raster, Samples, check_size

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY_TYPES = (0, 4)
_ALPHA_TYPES = (4, 6)
_RAW_PROFILE = b"Raw profile type "  # ImageMagick's and exiftool's older way to keep EXIF and XMP, as text in hex
_MOST_TEXT_BYTES = 16 << 20  # a compressed profile or text that unpacks to more is an attack, not a profile


@dataclass(frozen=True)
class Header:
    """IHDR: what every PNG begins with."""

    width: int
    height: int
    bits: int
    colour_type: int

    @property
    def is_grey(self) -> bool:
        """Whether it has one colour channel."""
        return self.colour_type in _GREY_TYPES


Chunks = dict[bytes, bytes]


def read_png(data: bytes, max_pixels: int) -> Raster:
    """Return the default picture of a PNG file.

    Raises:
        InvalidImage: damaged, cut off, or too small.
        ImageTooLarge: more than `max_pixels`, told from the header.
    """
    header, chunks, frames = read_chunks(data, max_pixels)
    samples, alpha = _decode(data)
    warnings: list[str] = []
    icc = _profile_of(header, chunks, warnings)
    exif = chunks.get(b"eXIf") or chunks.get(b"raw exif") or chunks.get(b"raw app1", b"")
    return Raster(
        samples=samples,
        space="grey" if samples.shape[2] == 1 else "rgb",
        alpha=alpha,
        alpha_kind=_alpha_kind(header, alpha),
        format="PNG",
        orientation=exif_block.orientation_of(exif),
        icc=icc,
        fits_srgb=not any(kind in chunks for kind in (b"cICP", b"iCCP", b"cHRM")),
        dpi=_dpi_of(chunks),
        exif=exif,
        xmp=_xmp_of(chunks),
        frames=frames,
        warnings=tuple(warnings),
    )


def read_chunks(data: bytes, max_pixels: int) -> tuple[Header, Chunks, int]:
    """Return header, the first chunk of each other kind that says something of the pixels, and the number of frames.

    Raises:
        InvalidImage: a chunk is damaged or the file ends too early.
        ImageTooLarge: more than `max_pixels`.
    """
    header: Header | None = None
    chunks: Chunks = {}
    position = len(SIGNATURE)
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        kind, end = data[position + 4 : position + 8], position + 8 + length
        if end + 4 > len(data):
            break
        if header is None:
            if kind != b"IHDR" or length != 13:
                raise InvalidImage("the PNG picture is damaged: it does not begin with its header", field="file")
            header = Header(*struct.unpack_from(">IIBB", data, position + 8))
            check_size(header.width, header.height, max_pixels)
        if zlib.crc32(memoryview(data)[position + 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            raise InvalidImage(f"the PNG picture is damaged: checksum of its {kind!r} chunk is wrong", field="file")
        if kind == b"IEND":
            frames = struct.unpack_from(">I", chunks[b"acTL"])[0] if len(chunks.get(b"acTL", b"")) >= 4 else 1
            return header, chunks, max(1, int(frames))
        if kind == b"iTXt" and data.startswith(b"XML:com.adobe.xmp\0", position + 8):
            chunks.setdefault(b"xmp", data[position + 8 : end])
        elif kind in (b"zTXt", b"tEXt") and data.startswith(_RAW_PROFILE, position + 8):
            name, _, text = data[position + 8 + len(_RAW_PROFILE) : end].partition(b"\0")
            chunks.setdefault(b"raw " + name.lower(), _unhexed(_unpacked(text[1:]) if kind == b"zTXt" else text))
        elif kind not in (b"IDAT", b"fdAT", b"iTXt", b"tEXt", b"zTXt"):
            chunks.setdefault(kind, data[position + 8 : end])
        position = end + 4
    raise InvalidImage("the PNG picture is damaged: it ends before its end mark", field="file")


def _decode(data: bytes) -> tuple[Samples, Samples | None]:
    """Return colours (H, W, 1 or 3) and alpha; palettes, low bit depths and colour keys are expanded by libpng."""
    import imagecodecs

    try:
        found: npt.NDArray[Any] = np.asarray(imagecodecs.png_decode(data))
    except imagecodecs.PngError as problem:
        raise InvalidImage(f"the PNG picture is damaged: {problem}", field="file") from None
    if found.ndim == 2:
        found = found[:, :, None]
    if found.shape[2] in (2, 4):
        return np.ascontiguousarray(found[:, :, :-1]), np.ascontiguousarray(found[:, :, -1])
    return found, None


def _alpha_kind(header: Header, alpha: Samples | None) -> AlphaKind:
    if alpha is None:
        return "none"
    return "straight" if header.colour_type in _ALPHA_TYPES else "colour key"


def _profile_of(header: Header, chunks: Chunks, warnings: list[str]) -> bytes:
    """Return the profile by the first chunk that counts: cICP, iCCP, sRGB, then gAMA with cHRM (section 4.3)."""
    if len(chunks.get(b"cICP", b"")) >= 4:
        primaries, transfer = chunks[b"cICP"][:2]
        known = colour.profile_of_h273(primaries, transfer, grey=header.is_grey)
        if known is not None:
            return known
        warnings.append(f"colours are stated as H.273 {primaries}/{transfer}, which is not known here; taken as sRGB")
        return b""
    if b"iCCP" in chunks:
        return _unpacked(chunks[b"iCCP"].partition(b"\0")[2][1:])
    if b"sRGB" in chunks:
        return b""
    gamma = struct.unpack(">I", chunks[b"gAMA"])[0] / 1e5 if len(chunks.get(b"gAMA", b"")) == 4 else None
    white, primaries_xy = None, None
    if len(chunks.get(b"cHRM", b"")) == 32:
        numbers = tuple(value / 1e5 for value in struct.unpack(">8I", chunks[b"cHRM"]))
        white, primaries_xy = (numbers[0], numbers[1]), numbers[2:]
    if not gamma and white is None:
        return b""
    return colour.profile_of_chromaticities(gamma or None, white, primaries_xy, grey=header.is_grey)


def _dpi_of(chunks: Chunks) -> tuple[float, float] | None:
    if len(chunks.get(b"pHYs", b"")) != 9:
        return None
    across, down, unit = struct.unpack(">IIB", chunks[b"pHYs"])
    return (across * METRES_AN_INCH, down * METRES_AN_INCH) if unit == 1 and across and down else None


def _xmp_of(chunks: Chunks) -> bytes:
    """Return the packet of an iTXt chunk: keyword, compression flag and method, language, translated keyword, text."""
    rest = chunks.get(b"xmp", b"").partition(b"\0")[2]
    if len(rest) < 2:
        return chunks.get(b"raw xmp", b"")
    text = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    return _unpacked(text) if rest[0] else text


def _unhexed(text: bytes) -> bytes:
    """Return the block of a raw profile: its name, its length and its bytes in hex, on lines of their own."""
    words = text.split()
    try:
        return bytes.fromhex(b"".join(words[2:]).decode("ascii"))[: int(words[1])] if len(words) > 2 else b""
    except ValueError:
        return b""


def _unpacked(data: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(data, _MOST_TEXT_BYTES)
    except zlib.error:
        return b""
    return text if unpacker.eof else b""
