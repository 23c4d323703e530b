"""Decoding: right side up and in right colours, or refused with one sentence."""

from __future__ import annotations

import io
import json
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps

from services.common.errors import ImageTooLarge, InvalidImage
from services.common.photos.decoding import decode_depth, decode_mask, decode_photo
from tests.needs import SHARED

TRICKY = SHARED / "eval" / "tricky"


def _picture(width: int = 40, height: int = 24) -> Image.Image:
    y, x = np.mgrid[0:height, 0:width]
    values = np.stack([x * 255 // width, y * 255 // height, np.full_like(x, 90)], axis=2).astype(np.uint8)
    values[2:8, 25:38] = (220, 30, 30)  # a flag that tells up from down and left from right
    return Image.fromarray(values)


def _encoded(picture: Image.Image, form: str = "PNG", **extra: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, form, **extra)
    return out.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_is_turned_upright_like_pillow_does(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = _encoded(_picture(), "JPEG", exif=exif, quality=95)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    photo = decode_photo(data)
    assert np.array_equal(photo.pixels, expected)
    kept = Image.Exif()
    kept.load(photo.metadata.exif)
    assert kept[0x0112] == 1


def test_a_tiff_hands_on_what_it_says_of_the_photo_and_not_how_it_was_stored():
    exif = Image.Exif()
    exif[0x013B] = "Jürgen".encode()  # Artist; Pillow's own text would be ASCII
    kept = Image.Exif()
    kept.load(decode_photo(_encoded(_picture(), "TIFF", exif=exif)).metadata.exif)
    assert kept[0x013B].encode("latin-1") == "Jürgen".encode()
    assert set(kept) <= {0x013B, 0x8769}


def test_an_exif_block_that_points_nowhere_costs_the_block_and_not_the_photo():
    photo = decode_photo(_encoded(_picture(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x0f"))
    assert photo.metadata.exif == b""


def test_focal_length_is_read_from_the_35_mm_equivalent():
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 27
    data = _encoded(_picture(), "JPEG", exif=exif)
    assert decode_photo(data).focal_ratio == pytest.approx(0.75)
    assert decode_photo(_encoded(_picture(), "JPEG")).focal_ratio is None


def test_sixteen_bit_colour_keeps_its_lower_eight_bits():
    import cv2

    values = np.arange(40 * 24 * 3, dtype=np.uint16).reshape(24, 40, 3) * 20 + 7
    data = cv2.imencode(".png", values[:, :, ::-1])[1].tobytes()
    photo = decode_photo(data)
    assert photo.bit_depth == 16
    assert np.array_equal(photo.pixels, values)
    assert photo.working.dtype == np.uint8


def test_an_embedded_profile_is_applied_for_the_networks_and_kept_for_the_output():
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo = decode_photo(_encoded(_picture(), "PNG", icc_profile=lab))
    assert photo.metadata.icc == lab
    assert np.abs(photo.working.astype(int) - photo.pixels).max() <= 2  # sRGB to sRGB


def test_a_large_photo_is_halved_for_the_networks_only():
    photo = decode_photo(_encoded(_picture(3000, 1500), "JPEG"))
    assert photo.pixels.shape == (1500, 3000, 3)
    assert photo.working.shape == (512, 1024, 3)


def _png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x01\x00\x00\x00\x00"
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0d" + body + zlib.crc32(body).to_bytes(4, "big")


def test_a_bomb_is_refused_from_its_header():
    idat = b"IDAT" + zlib.compress(b"\0" * 1000)
    data = _png_header(30_000, 30_000) + (len(idat) - 4).to_bytes(4, "big") + idat + zlib.crc32(idat).to_bytes(4, "big")
    data += b"\x00\x00\x00\x00IEND\xaeB`\x82"
    with pytest.raises(ImageTooLarge, match="30000 × 30000 px; the limit is 52 Mpx"):
        decode_photo(data)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"this is no picture at all", "not a picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),
        (_encoded(_picture(), "JPEG")[:400], "damaged"),
        (_encoded(_picture(), "PNG")[:-30], "damaged"),
        (_encoded(_picture(4, 400), "PNG"), "at least 8 px"),
    ],
    ids=["empty", "text", "svg", "eps", "half a jpeg", "half a png", "a strip"],
)
def test_what_is_no_whole_picture_is_refused_with_a_sentence(data, said):
    with pytest.raises(InvalidImage, match=said):
        decode_photo(data)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_flipped_bytes_end_in_a_picture_or_a_sentence_never_in_another_error(data):
    form = data.draw(st.sampled_from(["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP"]))
    encoded = bytearray(_encoded(_picture(), form))
    for _ in range(data.draw(st.integers(1, 12))):
        encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert decode_photo(bytes(encoded), max_pixels=1_000_000).pixels.ndim == 3
    except InvalidImage as problem:
        assert problem.message


def test_a_tiff_that_states_no_size_is_refused_with_a_sentence():
    data = _encoded(_picture(), "TIFF")
    without_width = data.replace(b"\x00\x01\x04\x00\x01\x00\x00\x00", b"\x82\x01\x04\x00\x01\x00\x00\x00", 1)
    assert without_width != data
    with pytest.raises(InvalidImage):
        decode_photo(without_width)


def test_masks_come_as_grey_as_alpha_or_as_an_array():
    alpha = np.zeros((24, 40), np.uint8)
    alpha[4:20, 10:30] = 255
    rgba = np.dstack([np.full((24, 40, 3), 7, np.uint8), alpha])
    archive = io.BytesIO()
    np.savez(archive, anything=alpha > 0)
    for data in (_encoded(Image.fromarray(alpha)), _encoded(Image.fromarray(rgba)), archive.getvalue()):
        assert np.array_equal(decode_mask(data), (alpha > 0).astype(np.float32))


def test_grey_of_a_mask_counts_where_its_alpha_is_opaque_everywhere():
    grey = np.zeros((24, 40), np.uint8)
    grey[4:20, 10:30] = 255
    from_a_canvas = np.dstack([grey, grey, grey, np.full_like(grey, 255)])
    assert np.array_equal(decode_mask(_encoded(Image.fromarray(from_a_canvas))), (grey > 0).astype(np.float32))


def test_depth_comes_as_an_array_or_a_sixteen_bit_picture():
    depth = np.linspace(0, 60_000, 24 * 40).reshape(24, 40)
    archive = io.BytesIO()
    np.savez(archive, d=depth.astype(np.float16))
    assert decode_depth(archive.getvalue()).dtype == np.float32
    picture = Image.fromarray(depth.astype(np.uint16))
    assert np.array_equal(decode_depth(_encoded(picture)), depth.astype(np.uint16).astype(np.float32))


def test_an_archive_with_pickles_or_several_arrays_is_refused():
    several, pickled = io.BytesIO(), io.BytesIO()
    np.savez(several, a=np.zeros((9, 9)), b=np.zeros((9, 9)))
    np.savez(pickled, a=np.array([{}], dtype=object))
    for archive in (several, pickled):
        with pytest.raises(InvalidImage):
            decode_mask(archive.getvalue())


@pytest.mark.needs_shared
def test_the_shared_tricky_files_are_read_or_refused_as_expected():
    expected = json.loads((TRICKY / "EXPECTED.json").read_text())["files"]
    plain = decode_photo((TRICKY / "plain.jpg").read_bytes()).working.astype(int)
    wrong = []
    for name, entry in expected.items():
        try:
            photo = decode_photo((TRICKY / name).read_bytes())
        except InvalidImage as problem:
            if entry["expect"] == "ok" and not entry.get("optional"):
                wrong.append(f"{name}: refused, {problem}")
            continue
        height, width = photo.pixels.shape[:2]
        if entry["expect"] == "refuse" and entry["reason"] != "no_subject":
            wrong.append(f"{name}: was read")
        if (entry.get("width", width), entry.get("height", height)) != (width, height):
            wrong.append(f"{name}: {width} × {height}")
        off = np.abs(photo.working.astype(int) - plain).mean() if "same_as" in entry or name == "cmyk.jpg" else 0.0
        if off > 3.0:
            wrong.append(f"{name}: colours off by {off:.1f}")
    assert not wrong
