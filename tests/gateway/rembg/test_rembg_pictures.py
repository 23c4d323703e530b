"""What rembg's options do to a finished PNG."""

from __future__ import annotations

import io

import pytest
from PIL import Image, ImageCms

from services.gateway.rembg.rembg_pictures import empty_picture, harden, lay_on


def png(picture, **extra):
    out = io.BytesIO()
    picture.save(out, "PNG", **extra)
    return out.getvalue()


def opened(data):
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture


def test_profile_survives_a_rewrite():
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source = png(Image.new("RGBA", (2, 2), (1, 2, 3, 200)), icc_profile=icc)
    assert opened(harden(source)).info["icc_profile"] == icc
    assert opened(lay_on(source, (0, 0, 0, 255))).info["icc_profile"] == icc


def test_opaque_background_is_opaque_everywhere():
    picture = opened(lay_on(png(Image.new("RGBA", (3, 2), (9, 9, 9, 77))), (1, 2, 3, 255)))
    assert picture.getextrema()[3] == (255, 255)


@pytest.mark.parametrize(
    ("background", "mask", "mode", "pixel"),
    [(None, False, "RGBA", (0, 0, 0, 0)), ((1, 2, 3, 4), False, "RGBA", (1, 2, 3, 4)), (None, True, "L", 0)],
)
def test_empty_picture_is_one_colour_of_the_size(background, mask, mode, pixel):
    picture = opened(empty_picture((7, 5), background, mask=mask))
    assert (picture.mode, picture.size) == (mode, (7, 5))
    assert picture.getpixel((0, 0)) == picture.getpixel((6, 4)) == pixel


def test_large_empty_picture_is_small_in_bytes():
    assert len(empty_picture((8000, 6000), None, mask=False)) < 2_000_000
