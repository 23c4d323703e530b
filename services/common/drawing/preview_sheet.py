"""One picture to judge a mesh by: the photo, the cutout, and the mesh from six sides."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from services.common.arrays import RGB, RGBA
from services.common.choices import MeshFormat
from services.common.drawing.mesh_file import read_mesh
from services.common.drawing.mesh_views import GROUND, SIX_VIEWS, render_views

CAPTION_PX = 18


def preview_png(photo: RGB, cutout: RGBA, mesh: bytes, format: MeshFormat) -> bytes:  # noqa: A002
    """Return the sheet of a mesh file as a PNG.

    Args:
        photo: (H, W, 3) uint8.
        cutout: (H', W', 4) uint8, straight alpha.
        mesh: the file.
        format: of it.
    Raises:
        ValueError: the file holds no faces.
    """
    vertices, faces, colours = read_mesh(mesh, format)
    if len(faces) == 0:
        raise ValueError(f"no faces could be read from {len(mesh)} bytes of {format}")
    out = io.BytesIO()
    sheet = preview_sheet(photo, cutout, render_views(vertices, faces, colours))
    Image.fromarray(sheet).save(out, "PNG", compress_level=6)
    return out.getvalue()


def preview_sheet(photo: RGB, cutout: RGBA, views: list[RGB]) -> RGB:
    """Return one picture: the photo and the cutout on a chequerboard, then the views, each with a small caption.

    Args:
        photo: (H, W, 3) uint8.
        cutout: (H', W', 4) uint8, straight alpha.
        views: square pictures of equal size, one of each of `SIX_VIEWS`.
    """
    side = views[0].shape[0] if views else 256
    over_board = _over_chequerboard(_fit(cutout, side), side)
    tiles = [_centre(_fit(photo, side), side), over_board, *views]
    labels = ["photo", "cutout", *(view.name for view in SIX_VIEWS)]
    columns = (len(tiles) + 1) // 2
    gap = max(4, side // 40)
    height = side + CAPTION_PX
    sheet = np.full((2 * (height + gap) + gap, columns * (side + gap) + gap, 3), 255, dtype=np.uint8)
    for k, tile in enumerate(tiles):
        top, left = gap + (k // columns) * (height + gap), gap + (k % columns) * (side + gap)
        sheet[top : top + side, left : left + side] = tile
    picture = Image.fromarray(sheet)
    pen = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size=12)
    for k, label in enumerate(labels):
        top, left = gap + (k // columns) * (height + gap), gap + (k % columns) * (side + gap)
        pen.text((left + side / 2, top + side + CAPTION_PX / 2), label, fill=(90, 90, 90), font=font, anchor="mm")
    return np.asarray(picture, dtype=np.uint8)


def _fit(picture: RGB | RGBA, side: int) -> RGB | RGBA:
    """Return the picture scaled so that its long side is `side`."""
    height, width = picture.shape[:2]
    factor = side / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS), dtype=np.uint8)


def _centre(picture: RGB, side: int) -> RGB:
    tile = np.full((side, side, 3), GROUND, dtype=np.uint8)
    top, left = (side - picture.shape[0]) // 2, (side - picture.shape[1]) // 2
    tile[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return tile


def _over_chequerboard(cutout: RGBA, side: int) -> RGB:
    square = max(4, side // 24)
    row, column = np.mgrid[:side, :side] // square
    board = np.where(((row + column) % 2 == 0)[..., None], 255, 205).astype(np.float32).repeat(3, axis=2)
    top, left = (side - cutout.shape[0]) // 2, (side - cutout.shape[1]) // 2
    area = board[top : top + cutout.shape[0], left : left + cutout.shape[1]]
    share = cutout[..., 3:].astype(np.float32) / 255.0
    area[:] = share * cutout[..., :3] + (1 - share) * area
    return np.asarray(np.rint(board), dtype=np.uint8)
