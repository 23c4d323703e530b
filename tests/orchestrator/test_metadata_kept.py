"""A camera's photo through decoder and encoder: what exiftool reads before, it reads after, in every format."""

from __future__ import annotations

import json
import subprocess

import numpy as np
import pytest
from PIL import Image, ImageCms

from services.common.photos.decoding import decode_photo
from services.orchestrator.output.encoding import EncodeOptions, encode_cutout

pytestmark = pytest.mark.needs_exiftool

SAID = {
    "IFD0:Make": "Canon",
    "IFD0:Model": "Canon EOS R5",
    "IFD0:Artist": "Jürgen Müller",
    "ExifIFD:FocalLength": "35.0 mm",
    "ExifIFD:DateTimeOriginal": "2024:05:06 07:08:09",
    "ExifIFD:LensModel": "RF35mm F1.8",
    "XMP-xmp:Rating": 4,
    "XMP-dc:Creator": "Jürgen Müller",
}
POSITION = {"GPS:GPSLatitude": "48 deg 51' 29.99\"", "XMP-exif:GPSLatitude": "48 deg 51' 29.99\" N"}
FORMATS = [("png", 8), ("png", 16), ("tiff", 8), ("tiff", 16), ("webp", 8), ("jpeg", 8)]
MODES = ["all", "no-gps", "none"]
SUFFIX = {"jpeg": "jpg", "tiff": "tif"}
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    """A JPEG as a camera held on its side writes it, position, thumbnail and all."""
    folder = tmp_path_factory.mktemp("camera")
    Image.new("RGB", (16, 12), (1, 2, 3)).save(folder / "thumbnail.jpg")
    pixels = np.random.default_rng(1).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "photo.jpg", quality=95, icc_profile=ICC)
    tags = {**SAID, "ExifIFD:ExifImageWidth": 80, "ExifIFD:ExifImageHeight": 60, "XMP-tiff:Orientation#": 6}
    tags |= {"IFD0:Orientation#": 6, "XMP-exif:ExifImageWidth": 80, "XMP-exif:GPSLatitude": "48.85833"}
    tags |= {"GPS:GPSLatitude": "48.85833", "GPS:GPSLatitudeRef": "N", "ThumbnailImage<=": folder / "thumbnail.jpg"}
    flags = [f"-{tag}{'' if tag.endswith('=') else '='}{value}" for tag, value in tags.items()]
    subprocess.run(["exiftool", "-q", "-overwrite_original", *flags, str(folder / "photo.jpg")], check=True)
    return folder / "photo.jpg"


@pytest.fixture(scope="module")
def read_back(photo, tmp_path_factory):
    """What exiftool says of the photo, and of cutouts of it by format, bits and mode."""
    folder = tmp_path_factory.mktemp("cutouts")
    decoded = decode_photo(photo.read_bytes())
    alpha = np.ones(decoded.pixels.shape[:2], np.float32)
    for form, bits in FORMATS:
        pixels = decoded.pixels if bits == 8 else decoded.pixels.astype(np.uint16) * 257
        for mode in MODES:
            data = encode_cutout(pixels, alpha, decoded.metadata, EncodeOptions(form, metadata=mode))
            (folder / f"{form}-{bits}-{mode}.{SUFFIX.get(form, form)}").write_bytes(data)
    command = ["exiftool", "-j", "-G1", "-a", "-charset", "utf8", str(photo), str(folder)]
    done = subprocess.run(command, capture_output=True, check=True)
    entries = json.loads(done.stdout)
    return {entry["SourceFile"].rsplit("/", 1)[-1].split(".")[0]: entry for entry in entries}


@pytest.mark.parametrize(("form", "bits"), FORMATS)
def test_camera_lens_dates_author_and_position_are_kept(read_back, form, bits):
    before, after = read_back["photo"], read_back[f"{form}-{bits}-all"]
    wanted = {**SAID, **POSITION}
    assert {key: before.get(key) for key in wanted} == wanted
    assert {key: after.get(key) for key in wanted} == wanted


@pytest.mark.parametrize(("form", "bits"), FORMATS)
def test_orientation_is_reset_and_sizes_are_those_of_the_upright_picture(read_back, form, bits):
    after = read_back[f"{form}-{bits}-all"]
    assert after["IFD0:Orientation"] == after["XMP-tiff:Orientation"] == "Horizontal (normal)"
    assert (after["ExifIFD:ExifImageWidth"], after["ExifIFD:ExifImageHeight"]) == (60, 80)
    assert after["XMP-exif:ExifImageWidth"] == 60
    assert after["Composite:ImageSize"] == "60x80"


@pytest.mark.parametrize(("form", "bits"), FORMATS)
@pytest.mark.parametrize("mode", MODES)
def test_the_colour_profile_is_kept_in_every_mode(read_back, form, bits, mode):
    after = read_back[f"{form}-{bits}-{mode}"]
    assert after["ICC_Profile:ProfileDescription"] == read_back["photo"]["ICC_Profile:ProfileDescription"]


@pytest.mark.parametrize(("form", "bits"), FORMATS)
def test_no_gps_takes_the_position_and_nothing_else(read_back, form, bits):
    after = read_back[f"{form}-{bits}-no-gps"]
    assert [key for key in after if "gps" in key.lower()] == []
    assert {key: after.get(key) for key in SAID} == SAID


@pytest.mark.parametrize(("form", "bits"), FORMATS)
def test_none_leaves_not_a_word(read_back, form, bits):
    after = read_back[f"{form}-{bits}-none"]
    groups = {key.split(":")[0] for key in after}
    assert not groups & {"ExifIFD", "GPS"}
    assert not [group for group in groups if group.startswith("XMP")]
    assert "IFD0:Make" not in after


@pytest.mark.parametrize(("form", "bits"), FORMATS)
def test_the_files_are_sound_to_exiftool_and_the_old_thumbnail_is_gone(read_back, form, bits):
    after = read_back[f"{form}-{bits}-all"]
    assert [key for key in after if key.endswith((":Warning", ":Error", ":ThumbnailImage"))] == []
