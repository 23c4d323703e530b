"""Why meshes come out wrong: exact masks damaged in controlled ways, meshed, and measured.

    python -m evaluation.why_flat --out out/why_flat

Each item of a set with exact masks and meshes is damaged by one kind at a time, at growing levels; the mesh is compared
with the exact one and inspected by the quality gate, which does not know the truth. The table is written as Markdown
and JSON.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from evaluation import damage
from evaluation.in_process import mesh_cutout
from evaluation.made import read_alpha
from evaluation.mesh_metrics import ExactMesh, score_mesh
from evaluation.sets import Item, open_set
from evaluation.surface import Surface, read_surface
from services.common.arrays import Alpha, InverseDepth
from services.common.photos.decoding import decode_depth, decode_photo
from services.orchestrator.cutout.cut import CutoutOptions, cut_out

FIXED = Path(__file__).parent / "fixed"
COLUMNS = ("f@0.1", "back_recall", "silhouette_iou", "view_depth_ratio", "flat", "gate_silhouette_iou", "gate_score")


@dataclass(frozen=True)
class Damage:
    """One kind of damage: its levels, what they mean, and how a mask is damaged."""

    name: str
    unit: str
    levels: tuple[float, ...]
    apply: Callable[[Alpha, float, int], Alpha]


def _keep(alpha: Alpha, level: float, seed: int) -> Alpha:
    return alpha


def _haze(alpha: Alpha, level: float, seed: int) -> Alpha:
    return np.maximum(alpha, np.float32(level))


def _blur(alpha: Alpha, level: float, seed: int) -> Alpha:
    return damage.blur(alpha, level)


def _stray(alpha: Alpha, level: float, seed: int) -> Alpha:
    return damage.stray_pixel(alpha)


DAMAGES: tuple[Damage, ...] = (
    Damage("none", "", (0.0,), _keep),
    Damage("leak", "of the subject's area", (0.05, 0.1, 0.2, 0.4, 0.8), damage.leak),
    Damage("bite", "of the subject's area", (0.05, 0.1, 0.2, 0.4), damage.bite),
    Damage("haze", "alpha of the background", (0.1, 0.3, 0.45), _haze),
    Damage("blur", "of the long side (sigma)", (0.005, 0.01, 0.02, 0.04), _blur),
    Damage("stray pixel", "", (1.0,), _stray),
)


def measure_damage(item: Item, kind: Damage, level: float, *, with_depth: bool) -> dict[str, float]:
    """Return the figures of the mesh made from an item's damaged exact mask.

    Raises:
        NoSubject: nothing is left of the mask.
    """
    assert item.truth is not None and item.mesh is not None
    photo = decode_photo(item.photo.read_bytes())
    exact = read_alpha(item.truth.read_bytes())
    alpha = kind.apply(exact, level, zlib.crc32(item.name.encode()))
    depth = _read_depth(item, exact.shape) if with_depth else None
    mesh, quality = mesh_cutout(cut_out(photo.pixels, alpha, CutoutOptions(alpha_matting=False)), depth)
    truth = ExactMesh(read_surface(item.mesh), item.meta, exact.astype(np.float64))
    found = score_mesh(truth, Surface(mesh.vertices, mesh.faces.astype(np.int64)), with_alignment=False)
    gate = {"gate_silhouette_iou": quality.silhouette_iou or 0.0, "gate_score": quality.score}
    return {name: value for name, value in found.items() if value is not None} | gate


def tabulate(items: Sequence[Item], *, with_depth: bool, tell: Callable[[str], None]) -> list[dict[str, float | str]]:
    """Return a row for each kind and level: means over the items."""
    rows: list[dict[str, float | str]] = []
    for kind in DAMAGES:
        for level in kind.levels:
            found = [measure_damage(item, kind, level, with_depth=with_depth) for item in items]
            means = {name: round(float(np.mean([row[name] for row in found])), 4) for name in COLUMNS}
            rows.append({"damage": kind.name, "level": level, "unit": kind.unit, **means})
            tell(f"{kind.name} {level}")
    return rows


def as_markdown(rows: Sequence[dict[str, float | str]]) -> str:
    """Return the rows as a table."""
    head = ["damage", "level", *COLUMNS]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for row in rows:
        level = f"{row['level']:g} {row['unit']}".strip() if row["damage"] not in ("none", "stray pixel") else ""
        cells = [f"{row[name]:.3f}" for name in COLUMNS]
        lines.append("| " + " | ".join([str(row["damage"]), level, *cells]) + " |")
    return "\n".join(lines) + "\n"


def main(argv: list[str] | None = None) -> int:
    """Write the tables with and without depth."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.why_flat")
    parser.add_argument("--set", type=Path, default=FIXED)
    parser.add_argument("--out", type=Path, default=Path("out/why_flat"))
    parser.add_argument("--limit", type=int)
    args = parser.parse_args(argv)
    items = [item for item in open_set(args.set, limit=args.limit) if item.truth and item.mesh]
    args.out.mkdir(parents=True, exist_ok=True)
    for name, with_depth in (("without_depth", False), ("with_depth", True)):
        rows = tabulate(items, with_depth=with_depth, tell=lambda line: print(line, flush=True))
        (args.out / f"{name}.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        (args.out / f"{name}.md").write_text(as_markdown(rows), encoding="utf-8")
        print(as_markdown(rows))
    return 0


def _read_depth(item: Item, shape: tuple[int, ...]) -> InverseDepth | None:
    if item.depth is None:
        return None
    depth = decode_depth(item.depth.read_bytes())
    return np.asarray(cv2.resize(depth, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR), dtype=np.float32)


if __name__ == "__main__":
    raise SystemExit(main())
