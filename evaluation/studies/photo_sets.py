"""How well views that stand out from a photo set are found and mended: `python -m evaluation photo-sets FOLDER`.

FOLDER holds NAME.jpg, NAME.mask.png (exact) and NAME.isnet.png (a network's mask). Each photo becomes a set of ten
views by turning, scaling, moving and relighting it; the set's masks are the network's. Then one view's is damaged.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from evaluation.metrics.mask_metrics import iou
from services.cli.photo_sets.consistency import find_doubts, measure
from services.cli.photo_sets.retry_outliers import RETRY_FROM
from services.cli.photo_sets.set_colours import propose_mask
from services.cli.photo_sets.thumbnails import SIDE_PX, Thumbnail
from services.common.arrays import RGB, BoolMask
from services.common.imaging.working_size import shrink_to

VIEWS = 10
DAMAGED = 5
_SIDE_PX = 512
# One standard deviation of what a hand-held camera changes from view to view.
_TURN_DEGREES, _LOG_SCALE, _SHIFT, _LOG_LIGHT, _NOISE = 4.0, 0.05, 0.03, 0.08, 3.0


@dataclass(frozen=True)
class Shot:
    """One view at work: the photo, what is subject, and what the network says."""

    photo: RGB
    truth: BoolMask
    network: BoolMask


def main(parser: argparse.ArgumentParser, argv: list[str]) -> int:
    """Print the table of docs/photogrammetry.md."""
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every n-th photo")
    arguments = parser.parse_args(argv)
    cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    sets = [_shoot(path, rng) for path in sorted(arguments.folder.glob("*.mask.png"))[:: arguments.every]]
    flagged = sum(len(find_doubts([measure(_view(s.photo, s.network)) for s in shots])) for shots in sets)
    print(f"undamaged: {flagged} of {len(sets) * VIEWS} views flagged")
    for name, damage in DAMAGES.items():
        results = [_mend(shots, damage(shots[DAMAGED].truth)) for shots in sets]
        kept = [r for r in results if r.kept]
        before, after = (np.mean([getattr(r, key) for r in kept] or [0.0]) for key in ("before", "after"))
        worse = sum(r.after < r.before for r in kept)
        found = sum(r.flagged for r in results)
        said = f"{found} of {len(results)} flagged, {len(kept)} brought in line, IoU {before:.2f} to {after:.2f}"
        print(f"{name}: {said}, {worse} worse")
    return 0


@dataclass(frozen=True)
class Result:
    """What became of a damaged view."""

    flagged: bool
    kept: bool
    before: float
    after: float


def _mend(shots: Sequence[Shot], damaged: BoolMask) -> Result:
    masks = [damaged if i == DAMAGED else shot.network for i, shot in enumerate(shots)]
    views = [_view(shot.photo, mask) for shot, mask in zip(shots, masks, strict=True)]
    features = [measure(view) for view in views]
    doubts = {doubt.index: doubt for doubt in find_doubts(features)}
    shot = shots[DAMAGED]
    before = iou(damaged, shot.truth)
    if DAMAGED not in doubts:
        return Result(False, False, before, before)
    if doubts[DAMAGED].excess < RETRY_FROM:
        return Result(True, False, before, before)
    near = [views[i] for i in sorted(range(VIEWS), key=lambda i: abs(i - DAMAGED)) if i not in doubts]
    proposed = propose_mask(shot.photo, near) > 127
    features[DAMAGED] = measure(_view(shot.photo, proposed))
    kept = all(doubt.index != DAMAGED for doubt in find_doubts(features))
    return Result(True, kept, before, iou(proposed, shot.truth))


def _shoot(mask: Path, rng: np.random.Generator) -> list[Shot]:
    name = mask.name.removesuffix(".mask.png")
    photo = np.asarray(cv2.imread(str(mask.with_name(f"{name}.jpg"))), dtype=np.uint8)[:, :, ::-1]
    photo = shrink_to(np.ascontiguousarray(photo), _SIDE_PX)
    height, width = photo.shape[:2]
    truth, network = (
        cv2.resize(np.asarray(cv2.imread(str(path), 0)), (width, height), interpolation=cv2.INTER_AREA)
        for path in (mask, mask.with_name(f"{name}.isnet.png"))
    )
    shots = []
    for _ in range(VIEWS):
        turn, scale = rng.normal(0, _TURN_DEGREES), float(np.exp(rng.normal(0, _LOG_SCALE)))
        moved = cv2.getRotationMatrix2D((width / 2, height / 2), turn, scale)
        moved[:, 2] += rng.normal(0, _SHIFT, 2) * width
        seen = cv2.warpAffine(photo, moved, (width, height), borderMode=cv2.BORDER_REFLECT).astype(np.float32)
        lit = seen * np.exp(rng.normal(0, _LOG_LIGHT)) + rng.normal(0, _NOISE, seen.shape)
        masks = (np.asarray(cv2.warpAffine(m, moved, (width, height)) > 127, dtype=np.bool_) for m in (truth, network))
        shots.append(Shot(np.asarray(np.clip(lit, 0, 255), dtype=np.uint8), *masks))
    return shots


def _half_lost(truth: BoolMask) -> BoolMask:
    rows = np.nonzero(truth)[0]
    return np.asarray(truth & (np.arange(truth.shape[0])[:, None] < np.median(rows)), dtype=np.bool_)


def _third_lost(truth: BoolMask) -> BoolMask:
    columns = np.nonzero(truth)[1]
    return np.asarray(truth & (np.arange(truth.shape[1])[None] < np.percentile(columns, 67)), dtype=np.bool_)


def _leaked(truth: BoolMask) -> BoolMask:
    height, width = truth.shape
    y, x = np.arange(height)[:, None], np.arange(width)[None]
    rows, columns = np.nonzero(truth)
    middle_y, middle_x = float(np.median(rows)), float(np.median(columns)) + 0.25 * width
    blob = ((y - middle_y) / (0.35 * height)) ** 2 + ((x - middle_x) / (0.3 * width)) ** 2 < 1
    return np.asarray(truth | blob, dtype=np.bool_)


DAMAGES: dict[str, Callable[[BoolMask], BoolMask]] = {
    "half of the subject lost": _half_lost,
    "nothing found": np.zeros_like,
    "background leaked in": _leaked,
    "a third lost": _third_lost,
}


def _view(photo: RGB, mask: BoolMask) -> Thumbnail:
    small = shrink_to(photo, SIDE_PX)
    values = cv2.resize(mask.astype(np.uint8) * 255, small.shape[1::-1], interpolation=cv2.INTER_AREA)
    return Thumbnail(small, np.asarray(values, dtype=np.uint8))
