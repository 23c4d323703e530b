"""`make bench`: measure, print, and write bench/README.md anew."""

from __future__ import annotations

import argparse
import datetime
import sys
from pathlib import Path

from bench.services import ServiceTimes, time_services
from bench.stages import time_stages
from bench.timing import Spread, describe_machine

ROOT = Path(__file__).resolve().parent.parent
TARGET_OVERHEAD_MS = 20


def main() -> int:
    """Run all benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photo", type=Path, default=ROOT / "examples" / "mug.jpg", help="about one megapixel")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--requests", type=int, default=20)
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "README.md")
    options = parser.parse_args()
    machine = describe_machine()
    stages = time_stages(options.photo, options.runs)
    services = time_services(options.photo, options.requests)
    text = _page(machine, stages, services, options)
    options.out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return 0


def _page(machine: str, stages: dict[str, Spread], services: ServiceTimes, options: argparse.Namespace) -> str:
    whole = sum(row.median for name, row in stages.items() if name in _WAY)
    lines = [
        "# Benchmarks",
        "",
        f"Written by `make bench` on {datetime.date.today().isoformat()}: {machine}. Photo: `{options.photo.name}`. ",
        f"Medians of {options.runs} runs in milliseconds, 10th to 90th percentile in brackets. Machines differ: ",
        "read the shares.",
        "",
        "## Algorithms, one megapixel, in process",
        "",
        "| step | ms | share of the way |",
        "|---|---:|---:|",
    ]
    for name, row in stages.items():
        share = f"{row.median / whole:.0%}" if name in _WAY else ""
        lines.append(f"| {name} | {row.ms()} | {share} |")
    lines += [
        "",
        f"## Through services, {options.requests} mesh requests one after the other, embedded backends, no depth",
        "",
        "| what | ms |",
        "|---|---:|",
        f"| start of all services | {services.start * 1e3:.0f} |",
        f"| whole request | {services.whole.ms()} |",
        f"| caller ↔ orchestrator, serialisation and transport | {services.client_hop.ms()} |",
    ]
    lines += [f"| orchestrator ↔ {name}, with queueing | {row.ms()} |" for name, row in services.stage_overhead.items()]
    lines += [
        f"| **all serialisation, transport and queueing** (aim: {TARGET_OVERHEAD_MS}) | **{services.overhead.ms()}** |",
        "",
        "Resident memory at the end: "
        + ", ".join(f"{name} {mb:.0f} MB" for name, mb in services.resident_mb.items())
        + ".",
        "",
    ]
    return "\n".join(lines)


_WAY = {
    "decode", "segment: grabcut", "refine: balanced", "fuse: auto", "cut out: balanced", "encode: png", "frame",
    "mesh: inflate, with depth", "gate", "export: glb",
}  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
