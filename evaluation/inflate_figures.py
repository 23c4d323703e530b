"""The embedded mesher by itself: shape, rim colours, faces and time, with and without depth, and with useless depth.

    python -m evaluation.inflate_figures --set FOLDER [--masks alpha_network.png] [--jobs 2]

Each item with exact mask, mesh and depth is cut out, framed and inflated as the pipeline does it, without refinement,
fusion and matting, so that only the mesher is judged. "useless" is the same with a constant or inverted map and with
that of the next item: what it may not do is fall below the mask alone. "rim" is what `rim_colours` says.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from evaluation.made import read_alpha
from evaluation.mesh_metrics import ExactMesh, score_mesh
from evaluation.rim_colours import MesherInput, rim_share
from evaluation.sets import Item, open_set
from evaluation.surface import Surface, read_surface
from services.common.arrays import Float, InverseDepth
from services.common.photos.decoding import decode_depth, decode_photo
from services.mesher.geometry.mesh import Mesh
from services.mesher.inflate import Camera, inflate
from services.orchestrator.cutout.cut import CutoutOptions, cut_out
from services.orchestrator.framing import FramingOptions, frame_subject

SHAPE = ("f@0.1_aligned", "f@0.05_aligned", "f@0.1", "f@0.05", "back_recall_aligned", "silhouette_iou", "flat")
COLUMNS = (*SHAPE, "watertight", "outward", "rim", "faces", "seconds")
WORST = ("faces", "seconds")  # of these the largest counts; of the others the mean
HEADS = ("F@0.1 al", "F@0.05 al", "F@0.1 un", "F@0.05 un", "back al", "IoU", "flat", "closed", "outward", "rim",
         "faces ≤", "s ≤")  # fmt: skip

USELESS: dict[str, Callable[[InverseDepth, InverseDepth], InverseDepth]] = {
    "constant": lambda own, _: np.ones_like(own),
    "inverted": lambda own, _: np.asarray(np.nanmax(own) + np.nanmin(own) - own),
    "of another": lambda _, other: other,
}


@dataclass(frozen=True)
class Row:
    """One item's figures in one way."""

    way: str
    figures: dict[str, float]


def main(argv: list[str] | None = None) -> int:
    """Print a table: a row each way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", type=Path, default=Path(__file__).parent / "fixed")
    parser.add_argument("--masks", default="auto", help="file name of the network's masks beside the photos")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--no-align", action="store_true", help="only figures of the mesh as it stands, much faster")
    args = parser.parse_args(argv)
    items = [item for item in open_set(args.set, args.masks, limit=args.limit) if item.truth and item.mesh]
    items = [item for item in items if item.depth]
    if not items:
        parser.error(f"{args.set} has no item with exact mask, exact mesh and depth")
    sys.stdout.write(as_table(measure(items, args.jobs, with_alignment=not args.no_align)))
    return 0


def measure(items: Sequence[Item], jobs: int = 1, *, with_alignment: bool = True) -> list[Row]:
    """Return the figures of every item in every way."""
    tasks = list(zip(items, [*items[1:], items[0]], strict=True))
    judge = partial(judge_item, with_alignment=with_alignment)
    if jobs == 1:
        return [row for task in tasks for row in judge(*task)]
    with ProcessPoolExecutor(jobs) as pool:
        return [row for rows in pool.map(judge, *zip(*tasks, strict=True)) for row in rows]


def as_table(rows: Sequence[Row]) -> str:
    """Return the means (of faces and seconds the largest) as a Markdown table, a line each way."""
    lines = ["| way | n | " + " | ".join(HEADS) + " |", "|---|---:|" + "---:|" * len(HEADS)]
    for way in dict.fromkeys(row.way for row in rows):
        found = [row.figures for row in rows if row.way == way]
        cells = []
        for name in COLUMNS:
            values = [figures[name] for figures in found if name in figures]
            value = (max(values) if name in WORST else float(np.mean(values))) if values else None
            cells.append("–" if value is None else f"{value:.0f}" if name == "faces" else f"{value:.3f}")
        lines.append(f"| {way} | {len(found)} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def frame_item(item: Item, mask: Path) -> MesherInput:
    """Return the item cut out by `mask` and framed as the orchestrator does it, and the photo in the same frame."""
    assert item.depth is not None and item.truth is not None
    rgb = decode_photo(item.photo.read_bytes()).working
    shape = (int(rgb.shape[0]), int(rgb.shape[1]))
    alpha = _resize(read_alpha(mask.read_bytes()), shape)
    depth = _resize(decode_depth(item.depth.read_bytes()), shape)
    cutout = cut_out(rgb, alpha, CutoutOptions(alpha_matting=False))
    frame = frame_subject(np.asarray(cutout.foreground, np.uint8), cutout.alpha, depth, FramingOptions())
    camera = Camera(frame.focal_px, frame.cx, frame.cy)
    exact = _resize(read_alpha(item.truth.read_bytes()), shape)
    return MesherInput.of(rgb, exact, frame.rgba, frame.depth, camera)


def judge_item(item: Item, other: Item, *, with_alignment: bool = True) -> list[Row]:
    """Return the figures of one item in every way; the depth of `other` is one of the useless ones."""
    assert item.truth is not None and item.mesh is not None and other.truth is not None
    exact = ExactMesh(read_surface(item.mesh), item.meta, read_alpha(item.truth.read_bytes()).astype(np.float64))
    framed = frame_item(item, item.truth)
    assert framed.depth is not None
    rows: list[Row] = []

    def judge(way: str, seen: MesherInput, depth: InverseDepth | None, known: tuple[Mesh, Row] | None = None) -> Mesh:
        start = time.process_time()
        mesh = inflate(seen.rgba, depth, seen.camera)
        seconds = time.process_time() - start
        if known is not None and np.array_equal(known[0].vertices, mesh.vertices):
            rows.append(Row(way, known[1].figures | {"seconds": seconds}))
            return mesh
        surface = Surface(mesh.vertices, mesh.faces.astype(np.int64))
        found = score_mesh(exact, surface, with_alignment=with_alignment)
        found |= {"rim": rim_share(mesh, seen), "faces": float(len(mesh.faces)), "seconds": seconds}
        rows.append(Row(way, {name: value for name, value in found.items() if name in COLUMNS and value is not None}))
        return mesh

    judge("depth, exact mask", framed, framed.depth)
    alone = judge("exact mask only", framed, None)
    without = alone, rows[-1]
    if item.mask is not None:
        masked = frame_item(item, item.mask)
        judge("depth, network's mask", masked, masked.depth)
        judge("network's mask only", masked, None)
    foreign = frame_item(other, other.truth).depth
    assert foreign is not None
    for name, spoil in USELESS.items():
        judge(f"useless depth: {name}", framed, spoil(framed.depth, foreign), without)
    return rows


def _resize(values: Float, shape: tuple[int, int]) -> Float:
    how = cv2.INTER_AREA if shape[1] < values.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(values, (shape[1], shape[0]), interpolation=how), dtype=np.float32)


if __name__ == "__main__":
    raise SystemExit(main())
