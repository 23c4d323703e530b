"""`python -m deploy.capacity`: replicas of each stage, GPUs and cost for a rate of requests, from service times."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from deploy.capacity.plan import ORCHESTRATOR, Plan, Prices, Target, make_plan
from deploy.capacity.service_times import read_times, scrape_times, write_times
from services.common.errors import InvalidOption, StageUnavailable

_STAGES = ("segmentation", "depth", "mesher", ORCHESTRATOR)
_ROW = "{:<14}{:>9}{:>7}{:>7}{:>7}{:>10}{:>13}{:>10}{:>10}{:>6}{:>9}\n"
_HEADINGS = ("stage", "a call", "cv", "calls", "load", "replicas", "utilisation", "wait", "95 %", "GPUs", "an hour")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the plan for the arguments; what cannot be planned is wrong usage."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        times = read_times(options.times) if options.times else scrape_times(options.metrics)
        if options.save:
            write_times(options.save, times)
        # The orchestrator admits more requests than it works on: most wait for stages. Its servers are its cores.
        cores = max(1, int(options.cores))
        times = [replace(one, concurrency=cores) if one.stage == ORCHESTRATOR else one for one in times]
        target = Target(options.rps, options.max_wait, options.max_utilisation, options.redundancy)
        prices = Prices(options.gpu_price, options.core_price, options.cores, tuple(options.gpu), options.per_gpu)
        plan = make_plan(times, target, prices)
    except (InvalidOption, StageUnavailable) as problem:
        parser.error(problem.message)
    print(_text(plan, options.rps), end="")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m deploy.capacity", description=__doc__)
    add = parser.add_argument
    add("--rps", type=float, required=True, help="mesh requests a second, on average over the busiest minutes")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--times", type=Path, help="file of service times, as --save writes it")
    source.add_argument("--metrics", nargs="+", help="metrics URLs of running services: each stage, the orchestrator")
    add("--save", type=Path, help="write the service times to this file")
    add("--max-wait", type=float, default=2.0, help="exceeded by one call in twenty, in times what a call takes (2)")
    add("--max-utilisation", type=float, default=0.8, help="share of time that a replica computes at most (0.8)")
    add("--redundancy", type=int, default=1, help="replicas of each stage beyond the need (1)")
    add("--gpu", nargs="+", default=[], choices=_STAGES, help="stages on GPUs; the times are taken as they are")
    add("--per-gpu", type=int, default=1, help="replicas that share a GPU (1)")
    add("--gpu-price", type=float, default=1.0, help="of one GPU for an hour (1)")
    add("--core-price", type=float, default=0.04, help="of one CPU core for an hour (0.04)")
    add("--cores", type=float, default=2.0, help="of each replica (2)")
    return parser


def _text(plan: Plan, rps: float) -> str:
    rows = [_ROW.format(*_HEADINGS)]
    for stage in plan.stages:
        t, w = stage.times, stage.waiting
        cells = (t.stage, f"{t.mean_s * 1e3:.0f} ms", f"{t.cv2**0.5:.2f}", f"{t.visits:.2f}", f"{stage.load:.1f}")
        waits = (f"{w.utilisation:.0%}", f"{w.mean_s * 1e3:.0f} ms", f"{w.p95_s * 1e3:.0f} ms")
        rows.append(_ROW.format(*cells, stage.replicas, *waits, stage.gpus, f"{stage.cost_an_hour:.2f}"))
    ran = [f"{s.times.stage} {s.times.backend} ({s.times.device})" for s in plan.stages if s.times.backend]
    missing = sorted(set(_STAGES) - {stage.times.stage for stage in plan.stages})
    rows.append(f"times of {', '.join(ran)}{'; none of ' + ', '.join(missing) if missing else ''}\n")
    cost = f"{plan.cost_an_hour:.2f} an hour, {plan.cost_per_1000:.3f} for 1,000 meshes"
    rows.append(f"{rps:g} requests a second: {plan.gpus} GPUs, {cost}\n")
    return "".join(rows)


if __name__ == "__main__":
    main()
