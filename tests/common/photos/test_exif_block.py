"""EXIF blocks: edited where they must be, and as the camera wrote them everywhere else."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from services.common.photos.exif_block import make_upright, remove_gps

MAKER_NOTE = bytes(range(40, 140))
LATITUDE = b"48.8583"


def _block(order: str = "little") -> bytes:
    """A block with a main, an EXIF and a GPS directory, and a thumbnail behind them, written by hand.

    The maker note lies between the others: no writer that puts fields into its own order leaves it where it is.
    """
    thumbnail = b"\xff\xd8" + b"thumbnail" * 5 + b"\xff\xd9"

    def number(value: int, size: int) -> bytes:
        return value.to_bytes(size, order)

    def field(tag: int, kind: int, count: int, value: int) -> bytes:
        inline = number(value, 2) + b"\0\0" if kind == 3 else number(value, 4)
        return number(tag, 2) + number(kind, 2) + number(count, 4) + inline

    def directory(*fields: bytes, following: int = 0) -> bytes:
        return number(len(fields), 2) + b"".join(fields) + number(following, 4)

    main_at, exif_at = 8, 8 + 2 + 4 * 12 + 4
    note_at = exif_at + 2 + 3 * 12 + 4
    gps_at = note_at + len(MAKER_NOTE)
    text_at = gps_at + 2 + 12 + 4
    second_at = text_at + len(LATITUDE) + 1
    thumbnail_at = second_at + 2 + 2 * 12 + 4
    main = directory(
        field(0x0100, 3, 1, 640),
        field(0x0112, 3, 1, 6),
        field(0x8769, 4, 1, exif_at),
        field(0x8825, 4, 1, gps_at),
        following=second_at,
    )
    exif = directory(field(0x927C, 7, len(MAKER_NOTE), note_at), field(0xA002, 3, 1, 640), field(0xA003, 4, 1, 480))
    gps = directory(field(0x0002, 2, len(LATITUDE), text_at))
    second = directory(field(0x0201, 4, 1, thumbnail_at), field(0x0202, 4, 1, len(thumbnail)))
    head = (b"II*\0" if order == "little" else b"MM\0*") + number(main_at, 4)
    return head + main + exif + MAKER_NOTE + gps + LATITUDE + b"\0" + second + thumbnail


def _read(block: bytes) -> Image.Exif:
    exif = Image.Exif()
    exif.load(block)
    return exif


@pytest.mark.parametrize("order", ["little", "big"])
def test_orientation_and_sizes_are_those_of_the_upright_picture(order):
    exif = _read(make_upright(_block(order), 480, 70_000))
    assert (exif[0x0112], exif[0x0100]) == (1, 480)
    assert (exif.get_ifd(0x8769)[0xA002], exif.get_ifd(0x8769)[0xA003]) == (480, 70_000)


@pytest.mark.parametrize("order", ["little", "big"])
def test_a_maker_note_stays_at_its_place(order):
    block = _block(order)
    upright = make_upright(block, 480, 640)
    assert upright.removeprefix(b"Exif\0\0").index(MAKER_NOTE) == block.index(MAKER_NOTE)


def test_the_old_thumbnail_is_gone_and_its_bytes_with_it():
    upright = make_upright(_block(), 480, 640)
    assert b"thumbnail" not in upright
    assert len(upright) < len(_block())
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "JPEG", exif=upright)
    assert Image.open(out).getexif().get_ifd(1) == {}


@pytest.mark.parametrize("order", ["little", "big"])
def test_without_gps_no_byte_of_the_position_is_left(order):
    cleaned = remove_gps(_block(order))
    assert LATITUDE not in cleaned
    exif = _read(cleaned)
    assert 0x8825 not in exif
    assert exif.get_ifd(0x8825) == {}
    assert exif.get_ifd(0x8769)[0x927C] == MAKER_NOTE
    assert exif[0x0112] == 6


def test_a_block_without_gps_stays_as_it_is():
    once = remove_gps(_block())
    assert remove_gps(once) == once


def test_the_mark_before_the_block_may_be_there_or_not():
    assert make_upright(b"Exif\0\0" + _block(), 3, 4) == make_upright(_block(), 3, 4)


@pytest.mark.parametrize("block", [b"", b"II*\0", b"II*\0\xff\xff\xff\x7f", b"junk" * 9, b"MM\0*\0\0\0\x08\xff\xff"])
def test_what_is_no_block_is_refused(block):
    with pytest.raises(ValueError, match="EXIF block"):
        make_upright(block, 3, 4)
    with pytest.raises(ValueError, match="EXIF block"):
        remove_gps(block)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(_block()) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_flipped_bytes_end_in_a_block_of_no_larger_size_or_a_refusal(flips):
    block = bytearray(_block())
    for position, value in flips:
        block[position] = value
    for edit in (lambda: make_upright(bytes(block), 3, 4), lambda: remove_gps(bytes(block))):
        try:
            assert len(edit()) <= len(block) + 6
        except ValueError as problem:
            assert "EXIF block" in str(problem)
