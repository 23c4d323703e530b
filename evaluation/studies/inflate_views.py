"""Pictures of what the embedded mesher makes: photo, cutout and six views of each of three scenes of the fixed set.

    python -m evaluation inflate-views                 # writes docs/pictures/inflate-*.png
    python -m evaluation inflate-views --set FOLDER --items s05_suzanne --clay --out out/views

With exact masks and the scenes' depth, so that the mesher alone is seen. `--clay` leaves colours out: shape shows.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from evaluation.sets import FIXED, Item, open_set
from evaluation.studies.framed_item import frame_item
from services.common.arrays import RGB
from services.common.drawing.mesh_views import render_views
from services.common.drawing.preview_sheet import preview_sheet
from services.mesher.inflate import inflate

ROOT = Path(__file__).resolve().parents[2]
SHOWN = ("p0208_mug", "p0214_toy", "p0215_chair")  # a hollow thing, a body with limbs, thin parts
SIDE_PX, COLOURS = 168, 128


def main(parser: argparse.ArgumentParser, argv: list[str]) -> int:
    """Write a picture an item."""
    parser.add_argument("--set", type=Path, default=FIXED)
    parser.add_argument("--items", nargs="+", default=list(SHOWN))
    parser.add_argument("--without-depth", action="store_true")
    parser.add_argument("--clay", action="store_true")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures")
    args = parser.parse_args(argv)
    found = {item.name: item for item in open_set(args.set)}
    unknown = [name for name in args.items if name not in found]
    if unknown:
        parser.error(f"{args.set} has no {', '.join(unknown)}; it has {', '.join(found)}")
    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.items:
        picture = draw_item(found[name], with_depth=not args.without_depth, clay=args.clay)
        path = args.out / f"inflate-{name.partition('_')[2] or name}.png"
        Image.fromarray(picture).quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
        sys.stdout.write(f"{path}: {path.stat().st_size // 1000} kB\n")
    return 0


def draw_item(item: Item, *, with_depth: bool = True, clay: bool = False) -> RGB:
    """Return photo, cutout and six views side by side."""
    assert item.truth is not None
    framed = frame_item(item, item.truth)
    mesh = inflate(framed.rgba, framed.depth if with_depth else None, framed.camera)
    views = render_views(mesh.vertices, mesh.faces, None if clay else mesh.colours, SIDE_PX)
    return preview_sheet(np.ascontiguousarray(framed.photo), framed.rgba, views)
