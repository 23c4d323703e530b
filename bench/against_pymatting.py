"""Our matting beside pymatting's closed form: the same photos, the same trimaps, how near to the exact alpha, how long.

The exact alpha must be truly soft for the comparison to mean anything. Items of a matting set bring their trimaps;
without a set, the trimaps are made from the exact alpha of the fixed scenes, 4 px to either side of the soft edge.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from bench.run_baseline import run_baseline
from bench.section import Section
from evaluation.sets import open_set, read_mask
from services.common.arrays import RGB, Alpha, Float
from services.common.photos.decoding import decode_photo
from services.orchestrator.cutout.matting import BALANCED, QUICK, THOROUGH, matte

_OURS = {"quick": QUICK, "balanced": BALANCED, "thorough": THOROUGH}
_BAND_PX = 4
_HALF = np.float32(0.5)


@dataclass(frozen=True)
class Case:
    """A photo with its trimap (0, 0.5 unknown, 1) and its exact alpha."""

    photo: RGB
    trimap: Float
    truth: Alpha


def compare_matting(folder: Path, trimaps: str | None, shown: str) -> Section:
    """Return error and time of both over a set.

    Args:
        folder: an evaluation set with exact alpha.
        trimaps: name of a file beside each photo, `{stem}` its name; None makes them from the exact alpha.
        shown: what the page calls the set.
    """
    cases = list(_cases(folder, trimaps))
    baseline = _solve_baseline(cases)
    rows = [("pymatting, closed form", f"{baseline.sad:.2f}", "1", f"{baseline.cpu:.1f}", "1", f"{baseline.wall:.1f}")]
    ratios = {}
    for name, options in _OURS.items():

        def solve(case: Case, options: object = options) -> Alpha:
            unknown = np.asarray(case.trimap == _HALF)
            assert isinstance(options, type(QUICK))
            return matte(case.photo, np.asarray(case.trimap, np.float32), unknown, None, options)

        ours = _solve(cases, solve)
        ratios[f"matting against pymatting, CPU time: {name}"] = baseline.cpu / ours.cpu
        share, times = f"{ours.sad / baseline.sad:.3f}", f"{baseline.cpu / ours.cpu:.1f}"
        rows.append((f"unflat, {name}", f"{ours.sad:.2f}", share, f"{ours.cpu:.2f}", times, f"{ours.wall:.2f}"))
    return Section(
        title=f"Matting against pymatting, {shown}",
        method=f"{len(cases)} photos with exact soft alpha and the same trimaps, nothing held to a guess. SAD: sum of "
        "absolute differences in the band, in thousands. One run each; pymatting after its compilation.",
        columns=("solver", "SAD", "of pymatting's", "CPU s", "times less CPU", "wall s"),
        rows=tuple(rows),
        ratios=ratios,
    )


@dataclass(frozen=True)
class _Result:
    sad: float
    cpu: float
    wall: float


def _solve(cases: list[Case], solver: Callable[[Case], Alpha]) -> _Result:
    solver(cases[0])
    begin, begin_cpu = time.perf_counter(), time.process_time()
    answers = [solver(case) for case in cases]
    cpu, wall = time.process_time() - begin_cpu, time.perf_counter() - begin
    return _Result(sum(_sad(case, answer) for case, answer in zip(cases, answers, strict=True)), cpu, wall)


def _solve_baseline(cases: list[Case]) -> _Result:
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        paths = []
        for number, case in enumerate(cases):
            paths.append(folder / f"{number}.npz")
            np.savez(paths[-1], photo=case.photo / 255.0, trimap=case.trimap.astype(np.float64))
        wanted = {"items": [str(path) for path in paths], "answers": text}
        seconds = run_baseline("solve_with_pymatting.py", wanted)
        sad = sum(_sad(case, np.load(path.with_suffix(".npy"))) for case, path in zip(cases, paths, strict=True))
    return _Result(sad, sum(s["cpu"] for s in seconds.values()), sum(s["wall"] for s in seconds.values()))


def _sad(case: Case, alpha: Float) -> float:
    return float(np.abs(alpha - case.truth)[case.trimap == _HALF].sum() / 1000)


def _cases(folder: Path, trimaps: str | None) -> Iterator[Case]:
    for item in open_set(folder, "auto", "off"):
        if item.truth is None:
            continue
        truth = read_mask(item.truth)
        photo = decode_photo(item.photo.read_bytes()).pixels
        if trimaps is None:
            yield Case(np.asarray(photo, np.uint8), _trimap_of(truth), truth)
            continue
        path = item.photo.with_name(trimaps.format(stem=item.photo.stem))
        if path.exists():
            given = read_mask(path)
            levels = np.where(given <= 0.02, 0, np.where(given >= 0.98, 1, _HALF)).astype(np.float32)
            yield Case(np.asarray(photo, np.uint8), levels, truth)


def _trimap_of(truth: Alpha) -> Float:
    """Return the trimap whose band reaches `_BAND_PX` beyond every soft pixel and every step of the exact alpha."""
    kernel = np.ones((2 * _BAND_PX + 1,) * 2, np.uint8)
    most, least = cv2.dilate(truth, kernel), cv2.erode(truth, kernel)
    return np.where(least >= 0.999, 1, np.where(most <= 0.001, 0, _HALF)).astype(np.float32)
