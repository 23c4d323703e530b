"""Small pictures for the report, as data URIs: the file stays one file."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from evaluation.outputs import Outputs
from evaluation.sets import Item, read_mask
from services.common.arrays import RGB, alpha_to_bytes
from services.common.drawing.depth_colours import colour_depth
from services.common.drawing.mesh_file import read_mesh
from services.common.drawing.mesh_views import SIX_VIEWS, render_views
from services.common.photos.decoding import decode_photo

SIDE_PX = 176
QUALITY = 82
LEAK, MISSING = (226, 64, 46), (46, 116, 226)


@dataclass(frozen=True)
class Tile:
    """A picture with its caption."""

    caption: str
    uri: str


def tiles_of(
    item: Item, outputs: Outputs, mask_variants: tuple[str, ...], mesh_variants: tuple[str, ...]
) -> list[Tile]:
    """Return the photo, the depth, each mask (leaks red, missing parts blue) and six views of each mesh."""
    photo = decode_photo(item.photo.read_bytes()).working
    truth = None if item.truth is None else alpha_to_bytes(read_mask(item.truth))
    tiles = [_tile("photo", photo)]
    if truth is not None:
        tiles.append(_tile("exact mask", np.stack([truth] * 3, axis=2)))
    if outputs.depth is not None:
        tiles.append(_tile("depth", colour_depth(outputs.depth)))
    tiles += [
        _tile(variant, colour_errors(outputs.masks[variant], truth))
        for variant in mask_variants
        if variant in outputs.masks
    ]
    for variant in mesh_variants:
        if variant in outputs.meshes:
            vertices, faces, colours = read_mesh(outputs.meshes[variant], "glb")
            views = render_views(vertices, faces, colours, SIDE_PX)
            tiles += [_tile(f"{variant}: {view.name}", picture) for view, picture in zip(SIX_VIEWS, views, strict=True)]
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
        for colour, share in ((LEAK, np.maximum(difference, 0.0)), (MISSING, np.maximum(-difference, 0.0))):
            grey = (1 - share) * grey + share * np.asarray(colour, np.float32)
    return np.asarray(np.rint(grey), dtype=np.uint8)


def _tile(caption: str, picture: RGB) -> Tile:
    small = Image.fromarray(picture)
    small.thumbnail((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=QUALITY)
    return Tile(caption, "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode())
