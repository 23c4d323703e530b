"""TIFF files: every pixel as it was, read by others, and the photo's EXIF block untouched in front."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from services.common.photos.decoding import decode_photo
from services.common.photos.metadata import Metadata
from services.orchestrator.output.tiff import encode_tiff

RNG = np.random.default_rng(3)


def _exif(order: str = "<") -> bytes:
    exif = Image.Exif()
    exif.endian = order
    exif[0x010E] = "a mug"
    exif.get_ifd(0x8769)[0x920A] = 35.0  # FocalLength
    return exif.tobytes()


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("exif", [b"", _exif(), _exif(">")], ids=["plain", "Intel", "Motorola"])
def test_pixels_are_read_back_exactly(channels, kind, exif):
    shape = (301, 417) if channels == 1 else (301, 417, channels)
    array = RNG.integers(0, np.iinfo(kind).max, shape).astype(kind)
    data = encode_tiff(array, Metadata(exif))
    if kind == np.uint8:
        found = np.asarray(Image.open(io.BytesIO(data)))
    else:  # Pillow has no 16 bits of colour
        found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        found = found if channels == 1 else found[:, :, [2, 1, 0, 3][:channels]]
    assert found.dtype == kind
    assert np.array_equal(found, array)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("order", ["<", ">"])
def test_what_the_photo_says_is_read_back(kind, order):
    data = encode_tiff(np.zeros((9, 9, 3), kind), Metadata(_exif(order), b"profile", b"<xmp/>"))
    assert data.startswith(_exif(order)[6:10])
    with Image.open(io.BytesIO(data)) as picture:  # its header; the pixels are tested above
        tags = picture.tag_v2
        assert tags[0x010E] == "a mug"
        assert picture.getexif().get_ifd(0x8769)[0x920A] == 35.0
        assert (tags[34675], bytes(tags[700])) == (b"profile", b"<xmp/>")


def test_a_grey_mask_gets_no_profile_of_three_colours():
    data = encode_tiff(np.zeros((9, 9), np.uint8), Metadata(icc=b"profile"))
    assert 34675 not in Image.open(io.BytesIO(data)).tag_v2


def test_a_block_that_cannot_be_read_costs_the_block_and_not_the_picture():
    array = np.full((9, 9, 3), 7, np.uint8)
    data = encode_tiff(array, Metadata(b"Exif\0\0II*\0\xff\xff\xff\x0f"))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), array)


@pytest.mark.parametrize("order", ["<", ">"])
def test_our_own_decoder_reads_the_words_back(order):
    metadata = Metadata(_exif(order), b"", b"<xmp/>")
    found = decode_photo(encode_tiff(np.zeros((9, 9, 3), np.uint16), metadata))
    exif = Image.Exif()
    exif.load(found.metadata.exif)
    assert exif[0x010E] == "a mug"
    assert exif.get_ifd(0x8769)[0x920A] == 35.0
    assert found.metadata.xmp == b"<xmp/>"
