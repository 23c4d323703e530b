"""What the regression guard runs: the fixed set, once from masks a network might say, once from no mask at all.

It needs no weights and about half a minute of one core. Alignment is left out: it would take more than all the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from evaluation.figures import Figures, gather
from evaluation.in_process import SIMULATED, Plan
from evaluation.regression import Baseline, Fall, find_falls, write_baseline
from evaluation.run import run_set
from evaluation.sets import Item

DISTURBED_RUNS = 3  # for the noise of the baseline


def plans(disturbance: int | None = None) -> dict[str, Plan]:
    """Return the guard's runs by name; `disturbance` is the seed of a slight noise on the photos."""
    return {
        "simulated": Plan(("raw", "refined", "fused", "final"), ("final",), SIMULATED, disturbance=disturbance),
        "grabcut": Plan(("raw", "final"), (), "grabcut", disturbance=disturbance),
    }


def measure(
    items: Sequence[Item],
    *,
    disturbance: int | None = None,
    jobs: int = 1,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, Figures]:
    """Return the figures of each of the guard's runs."""
    found: dict[str, Figures] = {}
    for name, plan in plans(disturbance).items():
        judged = run_set(items, plan, jobs=jobs, with_alignment=False, tell=tell)
        found[name] = gather(
            [one.figures for one in judged], {"masks": name, "depth": "supplied", "mesher": plan.mesher}
        )
    return found


def measure_baseline(
    items: Sequence[Item], *, jobs: int = 1, tell: Callable[[str], None] = lambda _: None
) -> dict[str, Baseline]:
    """Return the baseline of each run; its noise comes from further runs on disturbed photos."""
    figures = measure(items, jobs=jobs, tell=tell)
    seeds = range(1, DISTURBED_RUNS + 1)
    disturbed = [measure(items, disturbance=seed, jobs=jobs, tell=tell) for seed in seeds]
    return {name: write_baseline(figures[name], [run[name] for run in disturbed]) for name in figures}


def compare(figures: dict[str, Figures], baseline: dict[str, Baseline]) -> list[Fall]:
    """Return all falls of all runs; a run that the baseline has and `figures` lacks is an error.

    Raises:
        KeyError: such a run.
    """
    return [fall for name, expected in baseline.items() for fall in find_falls(figures[name], expected)]
