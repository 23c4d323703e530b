"""An XMP packet, edited as text: properties stand as attributes or as elements, under whatever prefix (XMP part 1).

The patterns hold no nested repetition: their time grows with the packet's length only.
"""

from __future__ import annotations

import re

_GPS_ATTRIBUTE = re.compile(rb"\s[\w.-]+:gps\w*\s*=\s*(?:\"[^\"]*\"|'[^']*')", re.IGNORECASE)
_GPS_ELEMENT = re.compile(rb"<([\w.-]+:gps\w*)(?:\s[^<>]*)?(?:/>|>[^<]*</\1\s*>)", re.IGNORECASE)
_GPS_NAME = re.compile(rb"[\w.-]:gps", re.IGNORECASE)


def make_upright(xmp: bytes, width: int, height: int) -> bytes:
    """Return `xmp` for a picture that stands upright, `width` × `height` pixels."""
    values = {
        b"tiff:Orientation": 1,
        b"tiff:ImageWidth": width,
        b"tiff:ImageLength": height,
        b"exif:PixelXDimension": width,
        b"exif:PixelYDimension": height,
    }
    for name, value in values.items():
        if name not in xmp:
            continue
        said = str(value).encode()
        xmp = re.sub(name + rb"(\s*=\s*[\"'])\d+", name + rb"\g<1>" + said, xmp)
        xmp = re.sub(rb"<" + name + rb"(\s*)>\s*\d+", rb"<" + name + rb"\g<1>>" + said, xmp)
    return xmp


def remove_gps(xmp: bytes) -> bytes:
    """Return `xmp` without positions; a packet that keeps one in a form not understood here is dropped whole."""
    if b"\0" in xmp:  # UTF-16 or UTF-32: read by hardly anybody, written by fewer
        return b""
    cleaned = _GPS_ELEMENT.sub(b"", _GPS_ATTRIBUTE.sub(b"", xmp))
    return b"" if _GPS_NAME.search(cleaned) else cleaned
