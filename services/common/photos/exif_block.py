"""An EXIF block, edited in place.

The block is a small TIFF file whose offsets count from its start, those inside maker notes included. Nothing is moved
in it, so what we do not understand stays as the camera wrote it. Source: TIFF 6.0, section 2; EXIF 2.32, section 4.6.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from PIL import Image

ORIENTATION = 0x0112
# Of a TIFF file's main directory: how its own pixels are stored, and XMP, IPTC, Photoshop and ICC blocks.
STORAGE_TAGS = frozenset(
    [254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281, 284, 288, 289, 290, 291, 292,
     293, 297, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325, 330, 332, 338, 339, 340, 341, 347, 512, 513, 514, 529,
     530, 531, 532, 700, 33723, 34377, 34675]
)  # fmt: skip
_PREFIX = b"Exif\0\0"  # as it stands before the block in a JPEG segment
_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_WIDTH_TAGS, _HEIGHT_TAGS = (0x0100, 0xA002), (0x0101, 0xA003)
_THUMBNAIL_START, _THUMBNAIL_BYTES = 0x0201, 0x0202
_SHORT, _LONG = 3, 4
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_ENTRY_BYTES = 12

ByteOrder = Literal["<", ">"]


@dataclass(frozen=True)
class Entry:
    """One field of a directory: where it stands, and where its value does."""

    tag: int
    kind: int
    count: int
    at: int
    value_at: int
    value_bytes: int


def orientation_of(exif: bytes) -> int:
    """Return the Orientation of a block, 1 to 8; 1 where it says none, or cannot be read."""
    try:
        block = strip_prefix(exif)
        order = byte_order(block)
        for entry in directory(block, order, first_directory(block, order)):
            if entry.tag == ORIENTATION:
                value = _unpack(order + "H", block, entry.at + 8)[0]
                return value if 1 <= value <= 8 else 1
    except ValueError:
        pass
    return 1


def of_fields(exif: Image.Exif) -> bytes:
    """Return the block of a format that keeps EXIF among its own fields (TIFF), without what describes its storage."""
    for tag in [tag for tag in exif if tag in STORAGE_TAGS]:
        del exif[tag]
    if not exif:
        return b""
    details = [exif.get_ifd(_EXIF_IFD)] if _EXIF_IFD in exif else []  # to ask for one makes one
    for fields in (exif, *details):
        for tag, value in list(fields.items()):
            if isinstance(value, str) and not value.isascii():
                fields[tag] = value.encode("latin-1", "replace")  # Pillow writes "?" for these
    return bytes(exif.tobytes())


def strip_prefix(exif: bytes) -> bytes:
    """Return the block without the `Exif` mark that JPEG sets before it."""
    return exif.removeprefix(_PREFIX)


def make_upright(exif: bytes, width: int, height: int) -> bytes:
    """Return `exif` for a picture that stands upright: Orientation 1, sizes as they are now, no old thumbnail.

    Args:
        exif: the block, with or without the mark that JPEG sets before it.
        width: pixels of the upright picture.
        height: pixels of the upright picture.
    Returns:
        The block with the mark before it.
    Raises:
        ValueError: its directories do not lie inside the block.
    """
    block = bytearray(strip_prefix(exif))
    order = byte_order(block)
    first = first_directory(block, order)
    for entry in _with_details(block, order, first):
        if entry.tag == ORIENTATION:
            struct.pack_into(order + "HHIHH", block, entry.at, ORIENTATION, _SHORT, 1, 1, 0)
        elif entry.tag in _WIDTH_TAGS:
            struct.pack_into(order + "HHII", block, entry.at, entry.tag, _LONG, 1, width)
        elif entry.tag in _HEIGHT_TAGS:
            struct.pack_into(order + "HHII", block, entry.at, entry.tag, _LONG, 1, height)
    _drop_thumbnail(block, order, first)
    return _PREFIX + bytes(block)


def remove_gps(exif: bytes) -> bytes:
    """Return `exif` without its GPS directory; its bytes are overwritten, not just no longer pointed at.

    Raises:
        ValueError: its directories do not lie inside the block.
    """
    block = bytearray(strip_prefix(exif))
    order = byte_order(block)
    first = first_directory(block, order)
    entries = list(directory(block, order, first))
    for entry in (e for e in reversed(entries) if e.tag == _GPS_IFD):
        _wipe_directory(block, order, _pointer(block, order, entry))
        end = first + 2 + len(entries) * _ENTRY_BYTES + 4  # with the pointer to the next directory
        block[entry.at : end] = block[entry.at + _ENTRY_BYTES : end] + bytes(_ENTRY_BYTES)
        entries.pop()
        struct.pack_into(order + "H", block, first, len(entries))
    return _PREFIX + bytes(block)


def byte_order(block: bytes | bytearray) -> ByteOrder:
    """Return how the block's numbers are written, as `struct` says it.

    Raises:
        ValueError: it does not begin like a TIFF file.
    """
    if block[:4] == b"II*\0":
        return "<"
    if block[:4] == b"MM\0*":
        return ">"
    raise ValueError("an EXIF block begins with II*\\0 or MM\\0*")


def first_directory(block: bytes | bytearray, order: ByteOrder) -> int:
    """Return where the main directory stands."""
    return int(_unpack(order + "I", block, 4)[0])


def directory(block: bytes | bytearray, order: ByteOrder, at: int) -> Iterator[Entry]:
    """Yield the fields of the directory at `at`.

    Raises:
        ValueError: it does not lie inside the block.
    """
    (count,) = _unpack(order + "H", block, at)
    for number in range(count):
        position = at + 2 + number * _ENTRY_BYTES
        tag, kind, values = _unpack(order + "HHI", block, position)
        size = _TYPE_BYTES.get(kind, 1) * values
        value_at = position + 8 if size <= 4 else int(_unpack(order + "I", block, position + 8)[0])
        yield Entry(tag, kind, values, position, value_at, size)


def _with_details(block: bytearray, order: ByteOrder, first: int) -> list[Entry]:
    """Return the fields of the main directory and of the EXIF directory it points at."""
    entries = list(directory(block, order, first))
    details = [entry for entry in entries if entry.tag == _EXIF_IFD]
    return entries + [one for entry in details for one in directory(block, order, _pointer(block, order, entry))]


def _drop_thumbnail(block: bytearray, order: ByteOrder, first: int) -> None:
    """Cut the second directory off: its small picture shows the photo as it was, background and all."""
    (count,) = _unpack(order + "H", block, first)
    link = first + 2 + count * _ENTRY_BYTES
    if link + 4 > len(block):  # some writers end without the link
        return
    (second,) = _unpack(order + "I", block, link)
    struct.pack_into(order + "I", block, link, 0)
    if not second:
        return
    values = {e.tag: _pointer(block, order, e) for e in directory(block, order, second) if e.value_bytes == 4}
    _wipe_directory(block, order, second)
    start, size = values.get(_THUMBNAIL_START, 0), values.get(_THUMBNAIL_BYTES, 0)
    if not start:
        return
    if start + size >= len(block):
        del block[start:]
    else:
        block[start : start + size] = bytes(size)


def _wipe_directory(block: bytearray, order: ByteOrder, at: int) -> None:
    entries = list(directory(block, order, at))
    for entry in entries:
        if entry.value_at + entry.value_bytes <= len(block):
            block[entry.value_at : entry.value_at + entry.value_bytes] = bytes(entry.value_bytes)
    size = min(2 + len(entries) * _ENTRY_BYTES + 4, len(block) - at)
    block[at : at + size] = bytes(size)


def _pointer(block: bytearray, order: ByteOrder, entry: Entry) -> int:
    return int(_unpack(order + "I", block, entry.at + 8)[0])


def _unpack(form: str, block: bytes | bytearray, at: int) -> tuple[int, ...]:
    if at + struct.calcsize(form) > len(block):
        raise ValueError(f"the EXIF block has {len(block)} bytes and points at byte {at}")
    return struct.unpack_from(form, block, at)
