"""What rembg's options do to a finished PNG of the orchestrator: hard edges, a background colour, an empty cutout."""

from __future__ import annotations

import io
import zlib

from PIL import Image

from services.gateway.rembg.rembg_colours import ColourAlpha

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _RGBA = 0, 6  # colour types of PNG (specification, third edition, §11.2.1)
_PNG_LEVEL = 1  # fast, and 12 % larger than 6
_HALF = 127  # rembg's cut of a post-processed mask


def harden(png: bytes) -> bytes:
    """Return a cutout or mask whose alpha (or grey) is 0 or 255."""
    with Image.open(io.BytesIO(png), formats=["PNG"]) as picture:
        if picture.mode == "L":
            return _write(picture.point(_cut), picture)
        cutout = picture.convert("RGBA")
        cutout.putalpha(cutout.getchannel("A").point(_cut))
        return _write(cutout, picture)


def lay_on(png: bytes, colour: ColourAlpha) -> bytes:
    """Return a cutout over a background colour, as RGBA; both alphas are straight."""
    with Image.open(io.BytesIO(png), formats=["PNG"]) as picture:
        background = Image.new("RGBA", picture.size, colour)
        return _write(Image.alpha_composite(background, picture.convert("RGBA")), picture)


def empty_picture(size: tuple[int, int], background: ColourAlpha | None, *, mask: bool) -> bytes:
    """Return what is left of a photo without a subject: a black mask, or the background alone.

    Args:
        size: width and height.
        background: r, g, b, a; transparent when None.
        mask: grey instead of RGBA.
    """
    if mask:
        return _flat_png(size, _GREY, b"\0")
    return _flat_png(size, _RGBA, bytes(background or (0, 0, 0, 0)))


def _cut(value: int) -> int:
    return 255 if value > _HALF else 0


def _write(picture: Image.Image, source: Image.Image) -> bytes:
    """Write a PNG with the profile and EXIF of the one it was made of."""
    kept = {name: source.info[name] for name in ("icc_profile", "exif") if source.info.get(name)}
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=_PNG_LEVEL, **kept)
    return out.getvalue()


def _flat_png(size: tuple[int, int], colour_type: int, pixel: bytes) -> bytes:
    """One colour, written row by row: a 50-megapixel answer needs a few kilobytes of memory."""
    width, height = size
    row = b"\0" + pixel * width  # filter type 0
    packer = zlib.compressobj(_PNG_LEVEL)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((8, colour_type, 0, 0, 0))
    return _PNG_SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")
