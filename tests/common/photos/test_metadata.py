"""What of a photo's own words is handed on: everything, everything but where it was taken, or nothing."""

from __future__ import annotations

import pytest
from PIL import Image

from services.common.photos import xmp_packet
from services.common.photos.metadata import Metadata, keep

ATTRIBUTES = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" exif:PixelXDimension='640'
 exif:PixelYDimension="480" exif:GPSLatitude="48,51.4N" drone-dji:GpsLongitude = '2,17E' xmp:Rating="4"/></x:xmpmeta>"""
ELEMENTS = b"""<rdf:Description><tiff:Orientation>6</tiff:Orientation><exif:GPSLatitude>48,51N</exif:GPSLatitude>
<exif:GPSVersionID/><xmp:Rating>4</xmp:Rating></rdf:Description>"""


def _exif() -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "Canon"
    exif.get_ifd(0x8825)[2] = (48.0, 51.0, 29.0)
    return exif.tobytes()


def test_an_xmp_packet_says_upright_and_the_new_sizes():
    said = xmp_packet.make_upright(ATTRIBUTES, 480, 640)
    assert b'tiff:Orientation="1"' in said
    assert b"exif:PixelXDimension='480'" in said
    assert b'exif:PixelYDimension="640"' in said
    assert b"<tiff:Orientation>1</tiff:Orientation>" in xmp_packet.make_upright(ELEMENTS, 480, 640)


@pytest.mark.parametrize("packet", [ATTRIBUTES, ELEMENTS], ids=["attributes", "elements"])
def test_positions_leave_an_xmp_packet_and_the_rest_stays(packet):
    cleaned = xmp_packet.remove_gps(packet)
    assert b"gps" not in cleaned.lower()
    assert b"Rating" in cleaned
    assert b"48,51" not in cleaned


@pytest.mark.parametrize(
    "packet",
    [
        b"<exif:GPSLatitude><rdf:Alt><rdf:li>48,51N</rdf:li></rdf:Alt></exif:GPSLatitude>",
        ATTRIBUTES.decode().encode("utf-16"),
    ],
    ids=["a nested one", "UTF-16"],
)
def test_a_position_in_a_form_not_understood_costs_the_packet(packet):
    assert xmp_packet.remove_gps(packet) == b""


def test_a_long_hostile_packet_is_cleaned_in_time_that_grows_with_its_length_only():
    for piece in (b"<a:gps ", b'<a:gps x="', b" a:gps='", b"<a:gps>", b" " + b"a" * 50):
        assert len(xmp_packet.remove_gps(piece * 20_000)) <= len(piece) * 20_000


def test_all_keeps_all():
    metadata = Metadata(_exif(), b"profile", ATTRIBUTES)
    assert keep(metadata, "all") is metadata


def test_no_gps_keeps_the_camera():
    kept = keep(Metadata(_exif(), b"profile", ATTRIBUTES), "no-gps")
    exif = Image.Exif()
    exif.load(kept.exif)
    assert exif[0x010F] == "Canon"
    assert exif.get_ifd(0x8825) == {}
    assert kept.icc == b"profile"


def test_none_keeps_the_profile_that_the_colours_need():
    assert keep(Metadata(_exif(), b"profile", ATTRIBUTES), "none") == Metadata(icc=b"profile")


def test_without_positions_a_block_that_nobody_can_read_is_dropped():
    assert keep(Metadata(b"Exif\0\0junk"), "no-gps").exif == b""
    assert keep(Metadata(), "no-gps") == Metadata()
