"""A TIFF file of 8 or 16 bits a sample that keeps the photo's EXIF as it is.

An EXIF block is a TIFF file without a picture. So the file begins with the block, every offset in it stays true, and
the new main directory holds the block's own fields and those of the picture behind it. Strips are deflated after
horizontal differencing. Source: TIFF 6.0, sections 2, 8 and 14; TIFF technical note 2 (deflate, 1995).

By hand, since tifffile (2026.3) leaves an EXIF directory out, and Pillow writes it anew: maker notes then point at
places that are gone.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from services.common.photos.exif_block import (
    STORAGE_TAGS,
    ByteOrder,
    byte_order,
    directory,
    first_directory,
    strip_prefix,
)
from services.common.photos.metadata import Metadata

_EMPTY_BLOCK = b"II*\0" + struct.pack("<IHI", 8, 0, 0)
_STRIP_BYTES = 1 << 18  # readers hold one at a time
_DEFLATE_LEVEL = 1  # differences of neighbours hardly get smaller by more effort
_BYTE, _SHORT, _LONG, _RATIONAL, _UNDEFINED = 1, 3, 4, 5, 7
_LETTERS = {_BYTE: "B", _SHORT: "H", _LONG: "I", _RATIONAL: "I", _UNDEFINED: "B"}
_NUMBERS_A_VALUE = {_RATIONAL: 2}


def encode_tiff(array: npt.NDArray[Any], metadata: Metadata) -> bytes:
    """Return a picture as a TIFF file.

    Args:
        array: (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGB with straight alpha; uint8 or uint16.
        metadata: what the photo says of itself; a profile is written with colours only.
    """
    block, order = _usable(strip_prefix(metadata.exif))
    file = bytearray(block)
    fields = {e.tag: block[e.at : e.at + 12] for e in directory(block, order, first_directory(block, order))}
    fields = {tag: raw for tag, raw in fields.items() if tag not in STORAGE_TAGS}

    pixels = array if array.ndim == 3 else array[:, :, None]
    height, width, channels = pixels.shape
    rows = max(1, _STRIP_BYTES // (width * channels * pixels.itemsize))
    strips = _strips(pixels, rows, order)
    _pad(file)
    offsets = np.cumsum([len(file), *(len(strip) for strip in strips[:-1])]).tolist()
    file += b"".join(strips)
    values: list[tuple[int, int, list[int] | bytes]] = [
        (256, _LONG, [width]),
        (257, _LONG, [height]),
        (258, _SHORT, [pixels.itemsize * 8] * channels),
        (259, _SHORT, [8]),  # deflate
        (262, _SHORT, [2 if channels > 1 else 1]),  # RGB, or black is zero
        (273, _LONG, offsets),
        (277, _SHORT, [channels]),
        (278, _LONG, [rows]),
        (279, _LONG, [len(strip) for strip in strips]),
        (284, _SHORT, [1]),  # channels interleaved
        (317, _SHORT, [2]),  # horizontal differencing
    ]
    if channels == 4:
        values.append((338, _SHORT, [2]))  # straight alpha
    if metadata.xmp:
        values.append((700, _BYTE, metadata.xmp))
    if metadata.icc and channels > 1:
        values.append((34675, _UNDEFINED, metadata.icc))
    if metadata.dpi is not None:
        hundredths = [(round(value * 100), 100) for value in metadata.dpi]
        values += [(282, _RATIONAL, list(hundredths[0])), (283, _RATIONAL, list(hundredths[1])), (296, _SHORT, [2])]
    for tag, kind, value in values:
        fields[tag] = _field(file, order, tag, kind, value)
    _pad(file)
    struct.pack_into(order + "I", file, 4, len(file))
    file += struct.pack(order + "H", len(fields)) + b"".join(fields[tag] for tag in sorted(fields)) + bytes(4)
    return bytes(file)


def _usable(block: bytes) -> tuple[bytes, ByteOrder]:
    """Return the block and its byte order; an empty one where it cannot be read."""
    try:
        order = byte_order(block)
        list(directory(block, order, first_directory(block, order)))
    except ValueError:
        return _EMPTY_BLOCK, "<"
    return block, order


def _strips(pixels: npt.NDArray[Any], rows: int, order: ByteOrder) -> list[bytes]:
    differences = pixels.astype(pixels.dtype.newbyteorder(order))
    differences[:, 1:] -= pixels[:, :-1]
    height = pixels.shape[0]
    return [zlib.compress(differences[top : top + rows].tobytes(), _DEFLATE_LEVEL) for top in range(0, height, rows)]


def _field(file: bytearray, order: ByteOrder, tag: int, kind: int, value: list[int] | bytes) -> bytes:
    """Return a directory entry; what does not fit into it goes to the end of `file`."""
    data = bytes(value) if isinstance(value, bytes) else struct.pack(f"{order}{len(value)}{_LETTERS[kind]}", *value)
    if len(data) > 4:
        _pad(file)
        position = len(file)
        file += data
        data = struct.pack(order + "I", position)
    count = len(value) // _NUMBERS_A_VALUE.get(kind, 1)
    return struct.pack(order + "HHI", tag, kind, count) + data.ljust(4, b"\0")


def _pad(file: bytearray) -> None:
    file += bytes(len(file) % 2)  # offsets are even
