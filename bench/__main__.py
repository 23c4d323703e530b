"""`make bench`: measure, and write bench/README.md anew from the figures of all sections.

A run may measure some sections only (`python -m bench stages cutout`); the others keep the figures of their last run,
each with its own day, machine and command.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from bench.against_pymatting import compare_matting
from bench.against_reference_depth import compare_depth
from bench.against_reference_triposr import compare_extraction, compare_triposr
from bench.against_rembg import compare_quality, compare_time
from bench.batch_sizes import measure_batching
from bench.gateway_throughput import compare_throughput
from bench.overload import describe_overload, overload
from bench.ratios import draw_ratios
from bench.run_baseline import have_baselines
from bench.section import Section
from bench.services import time_services
from bench.stages import time_stages

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ROOT / "bench" / "figures"
FIXED = ROOT / "evaluation" / "fixed"
_NEED_BASELINES = ("cutout", "cutout-quality", "matting", "gateway")
_NEED_TORCH = ("depth", "triposr", "extraction")


def main() -> int:
    """Measure what was asked for, and write the page."""
    options = _arguments()
    sections = _sections(options)
    for name in options.sections or sections:
        if name in _NEED_BASELINES and not have_baselines():
            sys.stderr.write(f"{name}: left out, there is nothing to compare with (make peers)\n")
            continue
        if name in _NEED_TORCH and find_spec("torch") is None:
            sys.stderr.write(f"{name}: left out, the reference needs torch (make torch)\n")
            continue
        sys.stderr.write(f"{name} …\n")
        section = replace(sections[name](), command=_command(name, options))
        section.write(FIGURES / f"{name}.json")
        sys.stdout.write(section.markdown() + "\n")
    write_page([FIGURES / f"{name}.json" for name in sections])
    return 0


def write_page(paths: list[Path]) -> None:
    """Write bench/README.md and its picture from the sections that have figures."""
    sections = [Section.read(path) for path in paths if path.exists()]
    ratios = {name: ratio for section in sections for name, ratio in section.ratios.items()}
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`, never by hand. Each table names its day, machine and command. What is compared ran "
        "in one go on one machine; times of other machines differ, ratios less.",
        "",
    ]
    if ratios:
        (ROOT / "bench" / "ratios.svg").write_text(draw_ratios(ratios), encoding="utf-8")
        lines += ["![How many times faster, by comparison](ratios.svg)", ""]
    lines += [section.markdown() for section in sections]
    (ROOT / "bench" / "README.md").write_text("\n".join(lines), encoding="utf-8")


def _sections(options: argparse.Namespace) -> dict[str, Callable[[], Section]]:
    """Return every section by name, in the order of the page."""
    photo, runs = options.photo, options.runs
    trimaps = options.trimaps if options.matting_set != FIXED else None
    return {
        "stages": lambda: time_stages(photo, runs),
        "services": lambda: time_services(photo, options.requests),
        "cutout": lambda: compare_time(photo, runs, tuple(options.megapixels)),
        "cutout-quality": lambda: compare_quality(options.set, options.masks, _shown(options.set)),
        "gateway": lambda: compare_throughput(photo, options.throughput_requests),
        "overload": _measure_overload,
        "batching": lambda: measure_batching(runs),
        "matting": lambda: compare_matting(options.matting_set, trimaps, _shown(options.matting_set)),
        "depth": lambda: compare_depth(tuple(options.depth_sizes.split(",")), runs),
        "triposr": lambda: compare_triposr(min(runs, 3)),
        "extraction": compare_extraction,
    }


def _measure_overload() -> Section:
    with tempfile.TemporaryDirectory() as empty_store:
        return describe_overload(overload(empty_store))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", help="which; all when none is named")
    parser.add_argument("--photo", type=Path, default=ROOT / "examples" / "mug.jpg", help="about one megapixel")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--requests", type=int, default=20)
    parser.add_argument("--throughput-requests", type=int, default=64)
    parser.add_argument("--megapixels", type=int, nargs="+", default=[1, 12], help="sizes for cutout")
    parser.add_argument("--depth-sizes", default="vits", help="of vits,vitb,vitl; the larger ones take minutes")
    parser.add_argument("--set", type=Path, default=FIXED, help="photos with exact alpha, for cutout-quality")
    parser.add_argument("--masks", default="simulated", help="raw masks of --set: a file name pattern, or simulated")
    parser.add_argument("--matting-set", type=Path, default=FIXED, help="photos with exact soft alpha")
    parser.add_argument("--trimaps", default="{stem}.trimap.png", help="file name pattern in --matting-set")
    options = parser.parse_args()
    unknown = set(options.sections) - set(_sections(options))
    if unknown:
        parser.error(f"there is no section {min(unknown)!r}; there are {', '.join(_sections(options))}")
    return options


def _shown(folder: Path) -> str:
    return "the fixed set" if folder == FIXED else f"the set `{folder.name}`"


def _command(name: str, options: argparse.Namespace) -> str:
    """Return the command that measures this section again."""
    words = ["python", "-m", "bench", name]
    if name == "cutout":
        words += ["--megapixels", *map(str, options.megapixels), "--runs", str(options.runs)]
    if name == "cutout-quality" and options.set != FIXED:
        words += ["--set", options.set.name, "--masks", options.masks]
    if name == "depth":
        words += ["--depth-sizes", options.depth_sizes, "--runs", str(options.runs)]
    if name == "matting" and options.matting_set != FIXED:
        words += ["--matting-set", options.matting_set.name]
    return shlex.join(words)


if __name__ == "__main__":
    sys.exit(main())
