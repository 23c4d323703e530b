"""Cutouts as files: straight alpha, the photo's own depth of colour, and what it says of itself."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from services.common.photos.decoding import decode_photo
from services.common.photos.metadata import Metadata
from services.orchestrator.output.encoding import MEDIA_TYPES, EncodeOptions, composite, encode_cutout, encode_mask

HEIGHT, WIDTH = 24, 40
RNG = np.random.default_rng(7)
COLOUR = RNG.integers(1, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
DEEP = RNG.integers(1, 65_535, (HEIGHT, WIDTH, 3), dtype=np.uint16)
ALPHA = np.tile(np.linspace(0, 1, WIDTH, dtype=np.float32), (HEIGHT, 1))
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rating>5</rating></x:xmpmeta>'


def _exif(note: str = "a mug") -> bytes:
    exif = Image.Exif()
    exif[0x010E] = note  # ImageDescription
    exif[0x0112] = 1
    return exif.tobytes()


METADATA = Metadata(_exif(), ICC, XMP)


def _open(data: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture


def _cutout(form: str = "png", colour: np.ndarray = COLOUR, metadata: Metadata = METADATA, **rest: object) -> bytes:
    return encode_cutout(colour, ALPHA, metadata, EncodeOptions(format=form, **rest))


@pytest.mark.parametrize("form", ["png", "webp", "tiff"])
def test_alpha_is_straight_and_exact(form):
    picture = np.asarray(_open(_cutout(form)))
    assert picture.shape == (HEIGHT, WIDTH, 4)
    alpha = np.rint(ALPHA * 255).astype(np.uint8)
    assert np.array_equal(picture[:, :, 3], alpha)
    if form != "webp":  # lossy in colour
        assert np.array_equal(picture[:, :, :3][alpha > 0], COLOUR[alpha > 0])


def test_under_zero_alpha_there_is_no_colour():
    picture = np.asarray(_open(_cutout()))
    assert not picture[picture[:, :, 3] == 0].any()


@pytest.mark.parametrize("form", ["png", "webp", "tiff", "jpeg"])
def test_the_file_is_of_the_format_it_says(form):
    data = _cutout(form)
    assert _open(data).get_format_mimetype() == MEDIA_TYPES[form]


@pytest.mark.parametrize("form", ["png", "tiff"])
def test_sixteen_bits_stay_sixteen_bits(form):
    found = cv2.imdecode(np.frombuffer(_cutout(form, DEEP), np.uint8), cv2.IMREAD_UNCHANGED)
    assert found.dtype == np.uint16
    alpha = np.rint(ALPHA * np.float32(65_535)).astype(np.uint16)
    assert np.array_equal(found[:, :, 3], alpha)
    assert np.array_equal(found[:, :, 2::-1][alpha > 0], DEEP[alpha > 0])


def test_sixteen_bits_become_eight_where_the_format_has_no_more():
    found = np.asarray(_open(_cutout("webp", np.full_like(DEEP, 30_000))))
    assert np.abs(found[:, -1, :3].astype(int) - round(30_000 / 257)).max() <= 2


@pytest.mark.parametrize("form", ["png", "webp", "tiff", "jpeg"])
def test_exif_and_profile_are_read_back(form):
    picture = _open(_cutout(form))
    assert picture.getexif()[0x010E] == "a mug"
    assert picture.info["icc_profile"] == ICC


@pytest.mark.parametrize("form", ["png", "webp", "tiff", "jpeg"])
def test_xmp_is_read_back(form):
    info = _open(_cutout(form)).info
    found = info.get("xmp") or info.get("XML:com.adobe.xmp")
    assert (found.encode() if isinstance(found, str) else found) == XMP


def test_sixteen_bit_png_keeps_its_metadata_too():
    picture = _open(_cutout("png", DEEP))
    assert picture.info["icc_profile"] == ICC
    assert picture.getexif()[0x010E] == "a mug"


def test_our_own_decoder_reads_the_metadata_back_unchanged():
    photo = decode_photo(_cutout())
    assert photo.metadata.icc == ICC
    assert photo.metadata.xmp == XMP


def test_a_photo_that_says_nothing_gets_nothing():
    picture = _open(_cutout(metadata=Metadata()))
    assert "icc_profile" not in picture.info
    assert not picture.getexif()


def test_metadata_too_large_for_a_jpeg_is_left_out_and_the_picture_written():
    large = Metadata(_exif("x" * 70_000), ICC, XMP + b" " * 70_000)
    picture = _open(_cutout("jpeg", metadata=large))
    assert picture.size == (WIDTH, HEIGHT)
    assert picture.info["icc_profile"] == ICC


@pytest.mark.parametrize("full", [255, 65_535])
def test_compositing_is_exact_to_half_a_step(full):
    foreground = (COLOUR if full == 255 else DEEP).astype(np.float64)
    background = np.array([10, 200, 30]) * (full / 255)
    exact = ALPHA[:, :, None] * foreground + (1 - ALPHA[:, :, None].astype(np.float64)) * background
    mixed = composite(COLOUR if full == 255 else DEEP, ALPHA, (10, 200, 30))
    assert np.abs(mixed - exact).max() <= 0.5 + full * 1e-6


def test_a_background_makes_the_picture_opaque():
    picture = np.asarray(_open(_cutout(background=(0, 255, 0))))
    assert picture.shape == (HEIGHT, WIDTH, 3)
    assert np.array_equal(picture[:, 0], np.tile([0, 255, 0], (HEIGHT, 1)))
    assert np.array_equal(picture[:, -1], COLOUR[:, -1])


def test_a_jpeg_without_background_stands_on_white():
    assert (np.asarray(_open(_cutout("jpeg")))[:, 0] > 235).all()


@pytest.mark.parametrize("form", ["png", "webp", "tiff", "jpeg"])
def test_a_mask_is_grey_in_every_format(form):
    found = np.asarray(_open(encode_mask(ALPHA, EncodeOptions(format=form))).convert("L"))
    assert np.abs(found - np.rint(ALPHA * 255)).max() <= (0 if form in ("png", "tiff") else 8)


def test_a_tiff_that_was_tiled_is_written_as_a_whole_tiff():
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "a mug"
    exif[322] = 16  # TileWidth, as a tiled scan says of itself
    exif[323] = 16
    exif[324] = (8, 264)
    exif[325] = (256, 256)
    Image.fromarray(COLOUR).save(out, "TIFF")
    data = _cutout("tiff", metadata=Metadata(exif.tobytes(), b"", b""))
    assert np.array_equal(np.asarray(_open(data))[:, -1, :3], COLOUR[:, -1])
