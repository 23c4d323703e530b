"""Two pictures of a run for the README: the item of the median gain, and the one that came out worst.

    python -m evaluation --in-process --masks simulated --out out/eval
    python -m evaluation showcase out/eval

Which items are shown follows from the figures: nobody chooses the pretty ones. A column each: the photo, the mask as
the network said and the final one (red: background kept, blue: subject lost), and the meshes of both from two sides.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from evaluation.report.pictures import colour_errors
from evaluation.sets import FIXED, Item, open_set, read_mask
from services.common.arrays import RGB, alpha_to_bytes
from services.common.drawing.mesh_file import read_mesh
from services.common.drawing.mesh_views import View, render_views
from services.common.photos.decoding import decode_photo

ROOT = Path(__file__).resolve().parents[2]
VARIANTS = ("raw", "final")
TILE_PX, CAPTION_PX, GROUND = 240, 26, 255
_VIEWS = (View("front", 0, 0), View("from the side", 65, 20))
_GAIN = "f@0.1"


def main(parser: argparse.ArgumentParser, argv: list[str]) -> int:
    """Write `evaluation-median.png` and `evaluation-worst.png`."""
    parser.add_argument("run", type=Path, help="output folder of `python -m evaluation`")
    parser.add_argument("--set", type=Path, default=FIXED, help="the set that was evaluated")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures")
    options = parser.parse_args(argv)
    figures = json.loads((options.run / "figures.json").read_text(encoding="utf-8"))
    items = {item.name: item for item in open_set(options.set)}
    for kind, name in choose(figures["items"]).items():
        path = options.out / f"evaluation-{kind}.png"
        Image.fromarray(draw_item(items[name], options.run)).quantize(200, dither=Image.Dither.NONE).save(path)
        sys.stdout.write(f"{path}: {name}\n")
    return 0


def choose(items: dict[str, Any]) -> dict[str, str]:
    """Return the names of the item with the median gain of its mesh and of the one with the worst final mesh.

    Args:
        items: figures by item, as in figures.json.
    Raises:
        ValueError: no item has meshes of both masks.
    """
    final = {
        name: float(row["meshes"]["final"][_GAIN])
        for name, row in items.items()
        if all(row["meshes"].get(variant, {}).get(_GAIN) is not None for variant in VARIANTS)
    }
    if not final:
        raise ValueError("no item has a mesh of the raw and of the final mask; wanted a run with both")
    gains = sorted(final, key=lambda name: final[name] - float(items[name]["meshes"]["raw"][_GAIN]))
    return {"median": gains[len(gains) // 2], "worst": min(final, key=lambda name: final[name])}


def draw_item(item: Item, run: Path) -> RGB:
    """Return one item's pictures side by side, with captions."""
    photo = decode_photo(item.photo.read_bytes()).working
    truth = None if item.truth is None else alpha_to_bytes(read_mask(item.truth))
    tiles = [("photo", photo)]
    for variant, said in zip(VARIANTS, ("network's mask", "final mask"), strict=True):
        mask = np.asarray(Image.open(run / "masks" / f"{item.name}.{variant}.png"))
        tiles.append((said, colour_errors(mask, truth)))
    for variant, said in zip(VARIANTS, ("mesh of the network's", "mesh of the final"), strict=True):
        vertices, faces, colours = read_mesh((run / "meshes" / f"{item.name}.{variant}.glb").read_bytes(), "glb")
        views = render_views(vertices, faces, colours, TILE_PX, _VIEWS)
        tiles += [(f"{said}, {view.name}", picture) for view, picture in zip(_VIEWS, views, strict=True)]
    return _side_by_side(tiles)


def _side_by_side(tiles: Sequence[tuple[str, RGB]]) -> RGB:
    sheet = Image.new("RGB", (len(tiles) * TILE_PX, TILE_PX + CAPTION_PX), (GROUND,) * 3)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for number, (caption, picture) in enumerate(tiles):
        small = Image.fromarray(picture)
        small.thumbnail((TILE_PX - 8, TILE_PX - 8), Image.Resampling.LANCZOS)
        left = number * TILE_PX + (TILE_PX - small.width) // 2
        sheet.paste(small, (left, (TILE_PX - small.height) // 2))
        middle = number * TILE_PX + TILE_PX // 2
        pen.text((middle, TILE_PX + 4), caption, fill=(60, 60, 60), font=font, anchor="ma")
    return np.asarray(sheet, np.uint8)
