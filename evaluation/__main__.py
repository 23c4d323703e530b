"""Quality on a data set, as a report with pictures and as JSON: `python -m evaluation --out out/eval`.

docs/evaluation.md explains the figures, the layouts of data sets and the files that are written.
"""

from __future__ import annotations

import argparse
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from evaluation.evaluate import Evaluated, evaluate_set
from evaluation.in_process import make_in_process
from evaluation.regression_check import compare, measure, measure_baseline
from evaluation.report.figures import Figures, gather, write_json
from evaluation.report.page import render_report
from evaluation.requests import Plan
from evaluation.sets import FIXED, Item, is_pattern, open_set
from evaluation.variants import MASK_VARIANTS, MESH_VARIANTS, VARIANTS
from services.common.telemetry.logs import configure_logs

BASELINE = Path(__file__).parent / "baseline.json"
COMMANDS = {
    "scenes": ("evaluation.synthetic.make_scenes", "render scenes with exact truth"),
    "edge-cases": ("evaluation.synthetic.edge_cases", "draw the edge cases of cutting out as a data set"),
    "showcase": ("evaluation.report.showcase", "draw the README's two pictures from a run"),
    "inflate-figures": ("evaluation.studies.inflate_figures", "the embedded mesher by itself, in figures"),
    "inflate-views": ("evaluation.studies.inflate_views", "the embedded mesher by itself, in pictures"),
    "billboards": ("evaluation.studies.billboards", "what the quality gate says of flat and of exact meshes"),
    "mask-robustness": ("evaluation.studies.mask_robustness", "whether refinement and fusion ever make a mask worse"),
    "photo-sets": ("evaluation.studies.photo_sets", "whether outliers of a photo set are found and mended"),
}
"""What else there is: a module with `main(parser, argv)`, and what it does."""


def main(argv: list[str] | None = None) -> int:
    """Run what the command line asks for; 1 where quality fell, 2 where the set cannot be read."""
    words = sys.argv[1:] if argv is None else argv
    if words and words[0] in COMMANDS:
        return _run_command(words[0], words[1:])
    args = _parse(words)
    configure_logs("evaluation", "warning")
    try:
        items = open_set(args.set, args.masks, args.depth, args.limit)
    except (OSError, ValueError) as problem:
        print(f"evaluation: {problem}", file=sys.stderr)
        return 2
    if args.write_baseline:
        write_json(BASELINE, measure_baseline(items, jobs=args.jobs, tell=_tell))
        print(f"baseline: {BASELINE}")
        return 0
    return _check(items, args.jobs) if args.check_regression else _report(items, args)


def _run_command(name: str, words: list[str]) -> int:
    command = import_module(COMMANDS[name][0])
    parser = argparse.ArgumentParser(
        prog=f"python -m evaluation {name}",
        description=command.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    code: int = command.main(parser, words)
    return code


def _parse(words: list[str]) -> argparse.Namespace:
    commands = "\n".join(f"  {name:18}{says}" for name, (_, says) in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="python -m evaluation",
        description=__doc__.splitlines()[0],
        epilog=f"other commands, each with its --help:\n{commands}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", nargs="?", choices=COMMANDS, metavar="COMMAND", help="one of those below")
    parser.add_argument("--set", type=Path, default=FIXED, help="folder of a data set (default: the fixed set)")
    parser.add_argument("--out", type=Path, default=Path("out/eval"))
    parser.add_argument(
        "--masks", default="auto",
        help="supplied masks beside the photo, such as {stem}.isnet.png; or a segmentation backend such as grabcut; or "
        "simulated, the exact mask damaged; auto takes what is there, else grabcut",
    )  # fmt: skip
    parser.add_argument("--depth", default="auto", help="supplied depths such as inverse_depth.npz; off; auto")
    parser.add_argument("--mesher", default="inflate", help="inflate, or none")
    parser.add_argument("--in-process", action="store_true", help="run the pipeline in this process, without services")
    parser.add_argument("--limit", type=int, help="at most so many items, spread over the set")
    parser.add_argument("--jobs", type=int, default=1, help="items side by side")
    parser.add_argument("--no-align", action="store_true", help="score meshes only as they stand (faster)")
    parser.add_argument("--variants", nargs="*", default=MASK_VARIANTS, choices=VARIANTS, help="masks that are made")
    parser.add_argument("--mesh-variants", nargs="*", default=MESH_VARIANTS, choices=VARIANTS, help="what is meshed")
    parser.add_argument("--check-regression", action="store_true", help="compare with the committed figures; no report")
    parser.add_argument("--write-baseline", action="store_true", help="write the committed figures anew")
    return parser.parse_args(words)


def _report(items: list[Item], args: argparse.Namespace) -> int:
    segmenter = "grabcut" if args.masks == "auto" or is_pattern(args.masks) else args.masks
    plan = Plan(tuple(args.variants), tuple(args.mesh_variants), segmenter, args.mesher)
    evaluated = _evaluate(items, plan, args)
    how = "in process" if args.in_process else "through services"
    settings = {"set": args.set.name, "masks": args.masks, "depth": args.depth, "mesher": args.mesher, "run": how}
    figures = gather([one.figures for one in evaluated], settings)
    write_json(args.out / "figures.json", figures)
    tiles = {one.figures.name: one.tiles for one in evaluated}
    page = args.out / "report.html"
    page.write_text(render_report(figures, tiles, f"unflat on {args.set.name}"), encoding="utf-8")
    _print_means(figures)
    print(f"report: {page}")
    return 0


def _evaluate(items: list[Item], plan: Plan, args: argparse.Namespace) -> list[Evaluated]:
    options: dict[str, Any] = {"out": args.out, "with_alignment": not args.no_align, "tell": _tell}
    if args.in_process:
        return evaluate_set(items, plan, make=make_in_process, jobs=args.jobs, **options)
    from evaluation.through_services import Services

    with Services(items, plan) as services:
        return evaluate_set(items, plan, make=services.make, **options)


def _check(items: list[Item], jobs: int) -> int:
    regressions = compare(measure(items, jobs=jobs, tell=_tell), json.loads(BASELINE.read_text(encoding="utf-8")))
    for regression in regressions:
        print(regression)
    print("quality fell" if regressions else "quality holds")
    return 1 if regressions else 0


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _print_means(figures: Figures) -> None:
    tables = (
        ("masks", ("iou", "boundary_iou", "boundary_f", "mae", "leak", "missing")),
        ("meshes", ("chamfer", "f@0.1", "f@0.1_aligned", "back_recall", "silhouette_iou", "flat", "watertight")),
    )
    for kind, columns in tables:
        means = figures["mean"][kind]
        shown = [name for name in columns if any(name in row for row in means.values())]
        if shown:
            print(f"{kind:26}" + "".join(f"{name:>15}" for name in shown))
        for variant, row in means.items() if shown else ():
            cells = (f"{row[name]['mean']:15.4f}" if name in row else f"{'–':>15}" for name in shown)
            print(f"{variant:26}" + "".join(cells))


if __name__ == "__main__":
    raise SystemExit(main())
