"""Never worse: what refinement and fusion do to masks that are as networks leave them, hardened, softened or damaged.

    python -m evaluation mask-robustness --set FOLDER --masks '{stem}.isnet.png' [--depth '{stem}.depth.npz']

Every mask of the set is put in as it is and in five other forms; every depth map as it is and in four useless ones.
"err" is the share of the mean of 1 − IoU that goes away against what was put in; "worst" the largest loss of IoU.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from evaluation.metrics.mask_metrics import boundary_f, iou
from evaluation.sets import Item, open_set, read_mask
from evaluation.synthetic.corruptions import add_leak, remove_part
from services.common.arrays import Alpha, InverseDepth
from services.common.imaging.working_size import resize
from services.common.photos.decoding import decode_depth, decode_photo
from services.orchestrator.fusion import FusionOptions, fuse
from services.segmentation.refine.chain import RefineOptions, refine

SHARE = 0.05  # of the subject's area: each of the two leaks, each of the two missing parts
SHIFT_PX = 20
WORSE = 0.01


@dataclass(frozen=True)
class Outcome:
    """IoU and boundary F of one item's mask under one treatment."""

    form: str
    variant: str
    before: float
    after: float
    boundary_f: float


def main(parser: argparse.ArgumentParser, argv: list[str]) -> int:
    """Print a table."""
    parser.add_argument("--set", type=Path, required=True)
    parser.add_argument("--masks", default="auto", help="file name of the supplied masks, {stem} the photo's")
    parser.add_argument("--depth", default="auto", help="the same for depth, or off")
    parser.add_argument("--preset", default="balanced", choices=("fast", "balanced", "quality"))
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args(argv)
    items = [item for item in open_set(options.set, options.masks, options.depth) if item.truth and item.mask]
    if not items:
        parser.error(f"{options.set} has no item with both an exact and a supplied mask")
    depths = [item.depth for item in items]
    others = depths[1:] + depths[:1]
    judge = partial(judge_item, preset=options.preset)
    with ProcessPoolExecutor(options.jobs) as pool:
        outcomes = [outcome for found in pool.map(judge, items, others) for outcome in found]
    sys.stdout.write(table(outcomes))
    return 0


def judge_item(item: Item, other_depth: Path | None, preset: str) -> list[Outcome]:
    """Return what became of every form of one item's mask.

    Args:
        item: with exact and supplied mask.
        other_depth: the depth of another photo.
        preset: of the refinement chain.
    """
    cv2.setNumThreads(1)
    assert item.truth and item.mask
    rgb = decode_photo(item.photo.read_bytes()).working
    truth = resize(read_mask(item.truth), rgb.shape)
    raw = resize(read_mask(item.mask), rgb.shape)
    options = RefineOptions.for_preset(preset)
    outcomes = []
    depth = resize(decode_depth(item.depth.read_bytes()), rgb.shape) if item.depth else None
    for form, mask in forms_of(raw, truth).items():
        refined = refine(rgb, mask, options).alpha
        variants = {"refined": refined}
        if depth is not None:
            variants["fused alone"] = fuse(rgb, mask, depth, FusionOptions()).alpha
            variants["refined, fused"] = fuse(rgb, refined, depth, FusionOptions()).alpha
        outcomes += [_outcome(form, variant, mask, after, truth) for variant, after in variants.items()]
    if depth is not None:
        other = resize(decode_depth(other_depth.read_bytes()), rgb.shape) if other_depth else depth[:, ::-1]
        for kind, useless in useless_depths(depth, other).items():
            after = fuse(rgb, raw, useless, FusionOptions()).alpha
            outcomes.append(_outcome("as it is", f"fused alone, depth {kind}", raw, after, truth))
    return outcomes


def forms_of(raw: Alpha, truth: Alpha) -> dict[str, Alpha]:
    """Return the forms in which a mask is put in."""
    hard = np.asarray(raw >= 0.5, np.float32)
    return {
        "as it is": raw,
        "cut at one half": hard,
        "blurred by 2 px": np.asarray(cv2.GaussianBlur(hard, (0, 0), 2), np.float32),
        "two leaks": add_leak(add_leak(raw, SHARE, 1), SHARE, 2),
        "two missing parts": remove_part(remove_part(raw, SHARE, 1), SHARE, 2),
        "exact": truth,
    }


def useless_depths(depth: InverseDepth, other: InverseDepth) -> dict[str, InverseDepth]:
    """Return maps that should change nothing."""
    moved = np.array([[1, 0, SHIFT_PX], [0, 1, 0]], np.float32)
    size = (depth.shape[1], depth.shape[0])
    return {
        f"moved by {SHIFT_PX} px": np.asarray(cv2.warpAffine(depth, moved, size, borderMode=cv2.BORDER_REPLICATE)),
        "constant": np.ones_like(depth),
        "inverted": np.asarray(depth.max() - depth, np.float32),
        "of another photo": np.ascontiguousarray(other),
    }


def table(outcomes: Sequence[Outcome]) -> str:
    """Return a row for every form and variant."""
    lines = ["| mask put in | variant | IoU before | after | err | boundary F | worse by 0.01 | worst |"]
    lines.append("|---|---|---:|---:|---:|---:|---:|---:|")
    for form, variant in dict.fromkeys((outcome.form, outcome.variant) for outcome in outcomes):
        rows = [outcome for outcome in outcomes if (outcome.form, outcome.variant) == (form, variant)]
        before, after = (np.array([getattr(row, name) for row in rows]) for name in ("before", "after"))
        lost = 1 - before.mean()
        err = f"{1 - (1 - after.mean()) / lost:+.1%}" if lost > 1e-6 else "–"
        change = after - before
        edge = float(np.mean([row.boundary_f for row in rows]))
        figures = f"{before.mean():.4f} | {after.mean():.4f} | {err} | {edge:.3f}"
        worse = int(np.count_nonzero(change < -WORSE))
        lines.append(f"| {form} | {variant} | {figures} | {worse} of {len(rows)} | {change.min():+.4f} |")
    return "\n".join(lines) + "\n"


def _outcome(form: str, variant: str, before: Alpha, after: Alpha, truth: Alpha) -> Outcome:
    exact = np.asarray(truth >= 0.5)
    put_in, came_out = np.asarray(before >= 0.5), np.asarray(after >= 0.5)
    return Outcome(form, variant, iou(exact, put_in), iou(exact, came_out), boundary_f(exact, came_out))
