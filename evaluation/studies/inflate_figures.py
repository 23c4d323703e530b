"""The embedded mesher by itself: shape, rim colours, faces and time, with and without depth, and with useless depth.

    python -m evaluation inflate-figures --set FOLDER [--masks alpha_network.png] [--jobs 2]

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

import numpy as np

from evaluation.metrics.mesh_metrics import ExactMesh, score_mesh
from evaluation.metrics.mesh_surface import Surface, read_surface
from evaluation.sets import FIXED, Item, open_set, read_mask
from evaluation.studies.framed_item import FramedItem, frame_item
from evaluation.studies.rim_colours import rim_share
from services.common.arrays import InverseDepth
from services.mesher.geometry.mesh import Mesh
from services.mesher.inflate import inflate

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
    """One item's figures in one variant."""

    variant: str
    figures: dict[str, float]


def main(parser: argparse.ArgumentParser, argv: list[str]) -> int:
    """Print a table: a row each variant."""
    parser.add_argument("--set", type=Path, default=FIXED)
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
    """Return the figures of every item in every variant."""
    tasks = list(zip(items, [*items[1:], items[0]], strict=True))
    judge = partial(judge_item, with_alignment=with_alignment)
    if jobs == 1:
        return [row for task in tasks for row in judge(*task)]
    with ProcessPoolExecutor(jobs) as pool:
        return [row for rows in pool.map(judge, *zip(*tasks, strict=True)) for row in rows]


def as_table(rows: Sequence[Row]) -> str:
    """Return the means (of faces and seconds the largest) as a Markdown table, a line each variant."""
    lines = ["| variant | n | " + " | ".join(HEADS) + " |", "|---|---:|" + "---:|" * len(HEADS)]
    for variant in dict.fromkeys(row.variant for row in rows):
        found = [row.figures for row in rows if row.variant == variant]
        cells = []
        for name in COLUMNS:
            values = [figures[name] for figures in found if name in figures]
            value = (max(values) if name in WORST else float(np.mean(values))) if values else None
            cells.append("–" if value is None else f"{value:.0f}" if name == "faces" else f"{value:.3f}")
        lines.append(f"| {variant} | {len(found)} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def judge_item(item: Item, other: Item, *, with_alignment: bool = True) -> list[Row]:
    """Return the figures of one item in every variant; the depth of `other` is one of the useless ones."""
    assert item.truth is not None and item.mesh is not None and other.truth is not None
    exact = ExactMesh(read_surface(item.mesh), item.meta, read_mask(item.truth).astype(np.float64))
    framed = frame_item(item, item.truth)
    assert framed.depth is not None
    rows: list[Row] = []

    def judge(
        variant: str, seen: FramedItem, depth: InverseDepth | None, known: tuple[Mesh, Row] | None = None
    ) -> Mesh:
        start = time.process_time()
        mesh = inflate(seen.rgba, depth, seen.camera)
        seconds = time.process_time() - start
        if known is not None and np.array_equal(known[0].vertices, mesh.vertices):
            rows.append(Row(variant, known[1].figures | {"seconds": seconds}))
            return mesh
        surface = Surface(mesh.vertices, mesh.faces.astype(np.int64))
        found = score_mesh(exact, surface, with_alignment=with_alignment)
        found |= {"rim": rim_share(mesh, seen), "faces": float(len(mesh.faces)), "seconds": seconds}
        rows.append(
            Row(variant, {name: value for name, value in found.items() if name in COLUMNS and value is not None})
        )
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
