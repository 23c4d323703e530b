"""Pictures for docs/meshes.md: bodies taken from density fields, a baked texture, and a front that follows depth.

    python -m evaluation.mesh_pictures [--out docs/pictures]

No weights: the fields are bodies written into scene codes of the official size (`bench.random_triposr`, needs torch);
the rest is made of the fixed set's vase and teapot with the embedded mesher and exact depth.
"""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from evaluation.depth_relief import FIXED, damaged_and_followed
from evaluation.made import read_alpha
from evaluation.sets import Item, open_set
from services.common.arrays import RGB
from services.common.drawing.mesh_views import View, read_mesh, render_views
from services.common.photos.decoding import decode_depth, decode_photo
from services.mesher.export import export
from services.mesher.extract import ExtractOptions, extract_surface, keep_real_parts
from services.mesher.inflate import Camera, inflate
from services.mesher.texture.baking import bake
from services.orchestrator.framing import FramingOptions, frame_subject

DOCS = Path(__file__).resolve().parent.parent / "docs" / "pictures"
TILE_PX, CAPTION_PX = 260, 22
BODIES = ("bumps", "ring", "bead")
_TWO = (View("front", 0, 0), View("from the side", 50, 25))


def main() -> int:
    """Write meshes-extracted.png, meshes-baked.png and meshes-depth.png."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=DOCS)
    options = parser.parse_args()
    items = {item.name: item for item in open_set(FIXED)}
    drawn = {
        "meshes-baked.png": draw_baked(items["p0209_vase"]),
        "meshes-depth.png": draw_depth(items["p0213_teapot"]),
    }
    if find_spec("torch") is None:
        sys.stdout.write("meshes-extracted.png: left out, the decoder needs torch (make torch)\n")
    else:
        drawn["meshes-extracted.png"] = draw_extracted()
    for name, picture in drawn.items():
        Image.fromarray(picture).quantize(200, dither=Image.Dither.NONE).save(options.out / name)
        sys.stdout.write(f"{options.out / name}\n")
    return 0


def draw_extracted(resolution: int = 256) -> RGB:
    """Return the bodies' surfaces, each from two sides."""
    from bench.random_triposr import LEVEL, body_decoder, body_scene_code
    from services.mesher.triposr.query import SceneField

    tiles = []
    decoder = body_decoder()
    for name in BODIES:
        field = SceneField(body_scene_code(name), decoder, 0.87)
        found = extract_surface(field.density, ExtractOptions(LEVEL, resolution, field.radius))
        vertices, faces, _ = keep_real_parts(found.vertices, found.faces)
        for view, tile in zip(_TWO, render_views(vertices[:, (1, 2, 0)], faces, None, TILE_PX, _TWO), strict=True):
            tiles.append((f"{name}, {view.name}", tile))
    return _sheet(tiles, columns=6)


def draw_baked(item: Item, resolution: int = 1024) -> RGB:
    """Return the photo, the atlas, and the textured mesh from the front, the side and behind."""
    assert item.truth and item.depth and item.meta
    photo = decode_photo(item.photo.read_bytes()).working
    alpha, depth = read_alpha(item.truth.read_bytes()), decode_depth(item.depth.read_bytes())
    height, width = alpha.shape
    depth = np.asarray(cv2.resize(depth, (width, height)), np.float32)
    frame = frame_subject(photo, alpha, depth, FramingOptions(focal_px=float(item.meta["camera"]["fx"])))
    camera = Camera(frame.focal_px, frame.cx, frame.cy)
    mesh = bake(inflate(frame.rgba, frame.depth, camera), frame.rgba, camera, resolution)
    assert mesh.texture is not None
    vertices, faces, colours = read_mesh(export(mesh, "glb"), "glb")
    views = (View("front", 0, 0), View("from the side", 60, 15), View("behind", 180, 0))
    tiles = [("photo", _square(photo)), (f"its atlas, {resolution} px", _square(mesh.texture))]
    drawn = render_views(vertices, faces, colours, TILE_PX, views)
    return _sheet(tiles + [(view.name, tile) for view, tile in zip(views, drawn, strict=True)], columns=5)


def draw_depth(item: Item) -> RGB:
    """Return an exact mesh, the same with a dented front, and that after it followed the exact depth."""
    truth, broken, followed = damaged_and_followed(item, "dent", seed=1)
    views = (View("front", 20, 10), View("from the side", 60, 15))
    tiles = []
    for name, mesh in (("exact", truth), ("dented", broken), ("followed depth", followed)):
        drawn = render_views(mesh.vertices, mesh.faces, None, TILE_PX, views)
        tiles += [(f"{name}, {view.name}", tile) for view, tile in zip(views, drawn, strict=True)]
    return _sheet(tiles, columns=6)


def _square(picture: RGB) -> RGB:
    side = max(picture.shape[:2])
    tile = np.full((side, side, 3), 238, np.uint8)
    top, left = (side - picture.shape[0]) // 2, (side - picture.shape[1]) // 2
    tile[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return np.asarray(Image.fromarray(tile).resize((TILE_PX, TILE_PX), Image.Resampling.LANCZOS), np.uint8)


def _sheet(tiles: list[tuple[str, RGB]], columns: int) -> RGB:
    gap = 6
    rows = -(-len(tiles) // columns)
    size = (columns * (TILE_PX + gap) + gap, rows * (TILE_PX + CAPTION_PX + gap) + gap)
    sheet = Image.new("RGB", size, (255, 255, 255))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=12)
    for number, (caption, tile) in enumerate(tiles):
        left = gap + number % columns * (TILE_PX + gap)
        top = gap + number // columns * (TILE_PX + CAPTION_PX + gap)
        sheet.paste(Image.fromarray(tile), (left, top))
        pen.text(
            (left + TILE_PX / 2, top + TILE_PX + CAPTION_PX / 2), caption, fill=(90, 90, 90), font=font, anchor="mm"
        )
    return np.asarray(sheet, dtype=np.uint8)


if __name__ == "__main__":
    sys.exit(main())
