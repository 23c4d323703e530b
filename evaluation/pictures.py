"""Small pictures for the report, as data URIs: the file stays one file."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from evaluation.made import Made, read_alpha
from evaluation.sets import Item
from services.common.arrays import RGB
from services.common.drawing.depth_colours import colour_depth
from services.common.drawing.mesh_views import SIX_VIEWS, read_mesh, render_views
from services.common.photos.decoding import decode_photo

SIDE_PX = 176
QUALITY = 82
LEAK, BITE = (226, 64, 46), (46, 116, 226)


@dataclass(frozen=True)
class Tile:
    """A picture with its caption."""

    caption: str
    uri: str


def tiles_of(item: Item, made: Made, mask_ways: tuple[str, ...], mesh_ways: tuple[str, ...]) -> list[Tile]:
    """Return the photo, the depth, each way's mask (leak red, bite blue) and six views of each way's mesh."""
    photo = decode_photo(item.photo.read_bytes()).working
    truth = None if item.truth is None else _grey(read_alpha(item.truth.read_bytes()))
    tiles = [_tile("photo", photo)]
    if truth is not None:
        tiles.append(_tile("exact mask", np.stack([truth] * 3, axis=2)))
    if made.depth is not None:
        tiles.append(_tile("depth", colour_depth(made.depth)))
    tiles += [_tile(way, colour_errors(made.masks[way], truth)) for way in mask_ways if way in made.masks]
    for way in mesh_ways:
        if way in made.meshes:
            vertices, faces, colours = read_mesh(made.meshes[way], "glb")
            views = render_views(vertices, faces, colours, SIDE_PX)
            tiles += [_tile(f"{way}: {view.name}", picture) for view, picture in zip(SIX_VIEWS, views, strict=True)]
    return tiles


def colour_errors(mask: npt.NDArray[np.uint8], truth: npt.NDArray[np.uint8] | None) -> RGB:
    """Return the mask as grey, red where it holds background and blue where it misses the subject.

    Args:
        mask: (h, w) uint8.
        truth: (H, W) uint8, or None.
    """
    grey = np.stack([mask] * 3, axis=2).astype(np.float32)
    if truth is not None:
        if truth.shape != mask.shape:
            size = (mask.shape[1], mask.shape[0])
            truth = np.asarray(Image.fromarray(truth).resize(size, Image.Resampling.BILINEAR))
        difference = (mask.astype(np.float32) - truth.astype(np.float32))[..., None] / 255.0
        for colour, share in ((LEAK, np.maximum(difference, 0.0)), (BITE, np.maximum(-difference, 0.0))):
            grey = (1 - share) * grey + share * np.asarray(colour, np.float32)
    return np.asarray(np.rint(grey), dtype=np.uint8)


def _grey(alpha: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    return np.asarray(np.rint(np.clip(alpha, 0, 1) * 255), dtype=np.uint8)


def _tile(caption: str, picture: RGB) -> Tile:
    small = Image.fromarray(picture)
    small.thumbnail((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=QUALITY)
    return Tile(caption, "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode())
