"""Quality on a data set, as a report with pictures and as JSON: `python -m evaluation --out out/eval`.

docs/evaluation.md explains the figures, the layouts of data sets and the files that are written.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from evaluation.figures import Figures, gather
from evaluation.guard import compare, measure, measure_baseline
from evaluation.in_process import Plan, make_in_process
from evaluation.outputs import write_figures
from evaluation.report import render_report
from evaluation.run import Judged, run_set
from evaluation.sets import Item, is_pattern, open_set
from evaluation.ways import MASK_WAYS, MESH_WAYS, WAYS

HERE = Path(__file__).parent
FIXED = HERE / "fixed"
BASELINE = HERE / "baseline.json"


def main(argv: list[str] | None = None) -> int:
    """Run what the command line asks for; 1 where the guard bites, 2 where the set cannot be read."""
    args = _parse(argv)
    try:
        items = open_set(args.set, args.masks, args.depth, args.limit)
    except (OSError, ValueError) as problem:
        print(f"evaluation: {problem}", file=sys.stderr)
        return 2
    if args.guard or args.write_baseline:
        return _guard(items, args)
    plan = _plan(args)
    judged = _run(items, plan, args)
    figures = gather([one.figures for one in judged], _settings(args))
    write_figures(args.out / "figures.json", figures)
    tiles = {one.figures.name: one.tiles for one in judged}
    title = f"unflat on {args.set.name}"
    (args.out / "report.html").write_text(render_report(figures, tiles, title), encoding="utf-8")
    _print_means(figures)
    print(f"report: {args.out / 'report.html'}")
    return 0


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m evaluation", description=__doc__.splitlines()[0])
    parser.add_argument("--set", type=Path, default=FIXED, help="folder of a data set (default: the fixed set)")
    parser.add_argument("--out", type=Path, default=Path("out/eval"))
    parser.add_argument(
        "--masks", default="auto",
        help="supplied masks beside the photo, such as {stem}.isnet.png; or a segmentation backend such as grabcut; or "
        "simulated, the exact mask damaged; auto takes what is there, else grabcut",
    )  # fmt: skip
    parser.add_argument("--depth", default="auto", help="supplied depths such as inverse_depth.npz; off; auto")
    parser.add_argument("--mesher", default="inflate", help="inflate, or none")
    parser.add_argument("--in-process", action="store_true", help="run the algorithms directly, without services")
    parser.add_argument("--limit", type=int, help="at most so many items, spread over the set")
    parser.add_argument("--jobs", type=int, default=1, help="items side by side")
    parser.add_argument("--no-align", action="store_true", help="score meshes only as they stand (faster)")
    parser.add_argument("--ways", nargs="*", default=list(MASK_WAYS), choices=list(WAYS), help="masks that are made")
    parser.add_argument("--mesh-ways", nargs="*", default=list(MESH_WAYS), choices=list(WAYS), help="what is meshed")
    parser.add_argument("--guard", action="store_true", help="compare with the committed figures; no report")
    parser.add_argument("--write-baseline", action="store_true", help="write the committed figures anew")
    return parser.parse_args(argv)


def _plan(args: argparse.Namespace) -> Plan:
    segmenter = "grabcut" if args.masks == "auto" or is_pattern(args.masks) else args.masks
    return Plan(tuple(args.ways), tuple(args.mesh_ways), segmenter, args.mesher)


def _settings(args: argparse.Namespace) -> dict[str, Any]:
    how = "in process" if args.in_process else "through services"
    return {"set": args.set.name, "masks": args.masks, "depth": args.depth, "mesher": args.mesher, "run": how}


def _run(items: list[Item], plan: Plan, args: argparse.Namespace) -> list[Judged]:
    options: dict[str, Any] = {"out": args.out, "with_alignment": not args.no_align, "tell": _tell}
    if args.in_process:
        return run_set(items, plan, make=make_in_process, jobs=args.jobs, **options)
    from evaluation.through_services import Services

    with Services(items, plan) as services:
        return run_set(items, plan, make=services.make, **options)


def _guard(items: list[Item], args: argparse.Namespace) -> int:
    if args.write_baseline:
        write_figures(BASELINE, measure_baseline(items, jobs=args.jobs, tell=_tell))
        print(f"baseline: {BASELINE}")
        return 0
    falls = compare(measure(items, jobs=args.jobs, tell=_tell), json.loads(BASELINE.read_text(encoding="utf-8")))
    for fall in falls:
        print(fall)
    print("quality fell" if falls else "quality holds")
    return 1 if falls else 0


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _print_means(figures: Figures) -> None:
    tables = (
        ("masks", ("iou", "boundary_iou", "boundary_f", "mae", "leak", "bite")),
        ("meshes", ("chamfer", "f@0.1", "f@0.1_aligned", "back_recall", "silhouette_iou", "flat", "watertight")),
    )
    for kind, columns in tables:
        means = figures["mean"][kind]
        shown = [name for name in columns if any(name in row for row in means.values())]
        if shown:
            print(f"{kind:26}" + "".join(f"{name:>15}" for name in shown))
        for way, row in means.items() if shown else ():
            print(
                f"{way:26}" + "".join(f"{row[name]['mean']:15.4f}" if name in row else f"{'–':>15}" for name in shown)
            )


if __name__ == "__main__":
    raise SystemExit(main())
