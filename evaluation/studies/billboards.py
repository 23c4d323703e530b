"""The quality gate on meshes whose answer is known: exact ones, and billboards cut from the same masks.

    python -m evaluation billboards --set FOLDER

A billboard is the exact mask as a slab that faces the camera, 1 and 5 % of its extent thick. The gate should call it
flat, whatever depth says; and the exact mesh not, unless it is a plate (tag `flat_object`), which depth tells.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation.metrics.mesh_surface import read_surface
from evaluation.sets import FIXED, Item, open_set
from evaluation.studies.framed_item import FramedItem, frame_item
from services.common.arrays import Alpha
from services.mesher.geometry.camera import Camera
from services.mesher.geometry.mesh import Mesh, normalise, signed_volume
from services.mesher.inflate.silhouette import trace_silhouette
from services.mesher.inflate.volume import build_surface, carry_to_space
from services.mesher.quality import Quality, inspect

THICKNESSES = (0.01, 0.05)  # of the largest extent
FACES = 20_000
THICK_CELLS = 8.0
FLAT_OBJECT = "flat_object"


@dataclass(frozen=True)
class Judgement:
    """What the gate said of one mesh.

    Attributes:
        item: its name.
        kind: "exact", or "billboard 1 %".
        with_depth: whether the gate saw depth.
        thin: whether the subject is tagged as truly flat.
        quality: what it said.
    """

    item: str
    kind: str
    with_depth: bool
    thin: bool
    quality: Quality

    @property
    def is_flagged(self) -> bool:
        """Called flat, and not excused."""
        return self.quality.verdict_kind == "flat"


def main(parser: argparse.ArgumentParser, argv: list[str]) -> int:
    """Print how many of each kind were flagged, and every verdict that is wrong."""
    parser.add_argument("--set", type=Path, default=FIXED)
    args = parser.parse_args(argv)
    items = [item for item in open_set(args.set) if item.truth and item.mesh and item.depth]
    judgements = [judgement for item in items for judgement in judge_meshes(item)]
    sys.stdout.write(as_table(judgements))
    for one in judgements:
        if one.is_flagged != one.kind.startswith("billboard") or one.thin:
            seen = "with" if one.with_depth else "without"
            sys.stdout.write(f"{one.item}, {one.kind}, {seen} depth: {one.quality.verdict}\n")
    return 0


def judge_meshes(item: Item) -> list[Judgement]:
    """Return what the gate says of the exact mesh and of the billboards of one item, with and without depth."""
    assert item.truth is not None and item.mesh is not None
    framed: FramedItem = frame_item(item, item.truth)
    alpha = framed.rgba[..., 3].astype(np.float32) / np.float32(255)
    surface = read_surface(item.mesh)
    meshes = {"exact": Mesh(surface.vertices, surface.faces.astype(np.int32))}
    meshes |= {f"billboard {share:.0%}": make_billboard(alpha, framed.camera, share) for share in THICKNESSES}
    return [
        Judgement(
            item.name, kind, depth is not None, FLAT_OBJECT in item.tags, inspect(mesh, alpha, framed.camera, depth)
        )
        for kind, mesh in meshes.items()
        for depth in (framed.depth, None)
    ]


def make_billboard(alpha: Alpha, camera: Camera, thickness: float) -> Mesh:
    """Return the mask as a closed slab that faces the camera, `thickness` of its largest extent thick."""
    silhouette = trace_silhouette(alpha, FACES)
    middle = camera.focal_px / silhouette.cell_px
    near = np.full(silhouette.mask.shape, middle, np.float32)
    cells, faces = build_surface(near, near + np.float32(THICK_CELLS), silhouette)  # thinner would fall between cells
    behind = (cells[:, 2] - middle) / THICK_CELLS
    cells[:, 2] = middle
    vertices = carry_to_space(cells, silhouette, camera)
    vertices[:, 2] -= behind * thickness * float(np.ptp(vertices[:, :2], axis=0).max())
    if signed_volume(vertices, faces) < 0:
        faces = np.ascontiguousarray(faces[:, ::-1])
    return normalise(Mesh(vertices, faces))


def as_table(judgements: Sequence[Judgement]) -> str:
    """Return counts as a Markdown table, a line each kind of mesh."""
    lines = ["| mesh | depth | flagged as flat | plates told | closed |", "|---|---|---:|---:|---:|"]
    for kind in dict.fromkeys(one.kind for one in judgements):
        for with_depth in (True, False):
            found = [one for one in judgements if one.kind == kind and one.with_depth == with_depth]
            plates = [one for one in found if one.thin]
            told = f"{sum(one.quality.is_truly_flat for one in plates)} of {len(plates)}"
            flagged = f"{sum(one.is_flagged for one in found)} of {len(found)}"
            closed = f"{sum(one.quality.watertight for one in found)} of {len(found)}"
            lines.append(f"| {kind} | {'yes' if with_depth else 'no'} | {flagged} | {told} | {closed} |")
    return "\n".join(lines) + "\n"
