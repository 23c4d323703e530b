"""The regression check: does quality on the fixed set still reach the last committed figures?

The fixed set is run once from masks a network might say, once from no mask at all. It needs no weights and about half a
minute of one core; alignment is left out, it would take more than all the rest.

The run is the same each time, so figures move only when the code, a library or the machine's arithmetic does. What
such chance changes amount to is measured when the baseline is written: the photos are disturbed by a grey level or two
and everything is run again. A mean may fall by `SPREADS` times its spread over these runs, or by the floor below where
that is more. A single item may fall by `SPREADS` times its own spread, or by `ITEM_FACTOR` floors: one item that
collapses is seen though the mean hides it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from evaluation.evaluate import evaluate_set
from evaluation.metrics import mask_metrics, mesh_metrics
from evaluation.raw_masks import SIMULATED
from evaluation.report.figures import DIGITS, Figures, gather
from evaluation.requests import Plan
from evaluation.sets import Item

Baseline: TypeAlias = dict[str, Any]
"""What baseline.json holds of a run: settings, and for each checked figure mean, spread and the values of the items."""

DISTURBED_RUNS = 3  # for the noise of the baseline
SPREADS = 3.0
ITEM_FACTOR = 5.0
# Below these a difference is of no interest, however steady the figure. Photographed truth is no finer (IoU 0.01).
FLOORS = {
    "iou": 0.003, "boundary_iou": 0.006, "boundary_f": 0.006, "mae": 0.001, "leak": 0.004, "missing": 0.004,
    "chamfer": 0.004, "f@0.1": 0.012, "f@0.1_aligned": 0.015, "back_recall": 0.02, "silhouette_iou": 0.006,
    "flat": 0.0, "watertight": 0.0, "outward": 0.0,  # yes or no: no item may turn
}  # fmt: skip
CHECKED_MASKS = ("raw", "refined", "fused", "final")
CHECKED_MESHES = ("final",)


@dataclass(frozen=True)
class Regression:
    """A figure that fell beyond its noise; `item` is empty for the mean over all."""

    variant: str
    metric: str
    item: str
    was: float
    now: float
    allowed: float

    def __str__(self) -> str:
        """Return one line for people."""
        where = f" on {self.item}" if self.item else ""
        change = f"{self.was:.4f} -> {self.now:.4f} (noise allows {self.allowed:.4f})"
        return f"{self.metric} of {self.variant}{where}: {change}"


def plans(disturbance: int | None = None) -> dict[str, Plan]:
    """Return the check's runs by name; `disturbance` is the seed of a slight noise on the photos."""
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
    """Return the figures of each of the check's runs."""
    found: dict[str, Figures] = {}
    for name, plan in plans(disturbance).items():
        evaluated = evaluate_set(items, plan, jobs=jobs, with_alignment=False, tell=tell)
        found[name] = gather(
            [one.figures for one in evaluated], {"masks": name, "depth": "supplied", "mesher": plan.mesher}
        )
    return found


def measure_baseline(
    items: Sequence[Item], *, jobs: int = 1, tell: Callable[[str], None] = lambda _: None
) -> dict[str, Baseline]:
    """Return the baseline of each run; its noise comes from further runs on disturbed photos."""
    figures = measure(items, jobs=jobs, tell=tell)
    seeds = range(1, DISTURBED_RUNS + 1)
    disturbed = [measure(items, disturbance=seed, jobs=jobs, tell=tell) for seed in seeds]
    return {name: baseline_of(figures[name], [run[name] for run in disturbed]) for name in figures}


def compare(figures: dict[str, Figures], baseline: dict[str, Baseline]) -> list[Regression]:
    """Return all regressions of all runs; a run that the baseline has and `figures` lacks is an error.

    Raises:
        KeyError: such a run.
    """
    return [
        regression for name, expected in baseline.items() for regression in find_regressions(figures[name], expected)
    ]


def baseline_of(figures: Figures, disturbed: Sequence[Figures]) -> Baseline:
    """Return the baseline of a run, with the noise that the disturbed runs show.

    Args:
        figures: of the run as it is.
        disturbed: of two or more runs on slightly disturbed photos.
    Raises:
        ValueError: fewer than two disturbed runs.
    """
    if len(disturbed) < 2:
        raise ValueError(f"{len(disturbed)} disturbed runs; wanted two or more to measure noise")
    checked: dict[str, Any] = {}
    for key, values in _checked(figures).items():
        runs = [_checked(run).get(key, {}) for run in (figures, *disturbed)]
        by_item = {item: [run[item] for run in runs if item in run] for item in values}
        means = (
            np.mean(list(by_item.values()), axis=0) if _is_even(by_item) else [float(np.mean(list(values.values())))]
        )
        checked[key] = {
            "mean": round(float(np.mean(list(values.values()))), DIGITS),
            "spread": _spread(means),
            "items": {item: {"value": values[item], "spread": _spread(row)} for item, row in by_item.items()},
        }
    return {"settings": figures["settings"], "figures": checked}


def find_regressions(figures: Figures, baseline: Baseline) -> list[Regression]:
    """Return what fell beyond its noise, means first; empty if quality holds.

    A figure or an item that the baseline has and the run has not is a regression to the worst value.
    """
    now = _checked(figures)
    regressions: list[Regression] = []
    for key, row in baseline["figures"].items():
        _, variant, metric = key.split("/")
        found = {item: now.get(key, {}).get(item, _worst(metric)) for item in row["items"]}
        allowed = max(FLOORS[metric], SPREADS * row["spread"])
        mean = float(np.mean(list(found.values())))
        if _fell(metric, row["mean"], mean) > allowed:
            regressions.append(Regression(variant, metric, "", row["mean"], mean, allowed))
        for item, was in row["items"].items():
            alone = max(ITEM_FACTOR * FLOORS[metric], SPREADS * was["spread"])
            if _fell(metric, was["value"], found[item]) > alone:
                regressions.append(Regression(variant, metric, item, was["value"], found[item], alone))
    return sorted(regressions, key=lambda regression: (regression.item != "", regression.variant, regression.metric))


def _checked(figures: Figures) -> dict[str, dict[str, float]]:
    """Return the checked figures as kind/variant/metric → item → value."""
    found: dict[str, dict[str, float]] = {}
    for item, row in figures["items"].items():
        for kind, variants in (("masks", CHECKED_MASKS), ("meshes", CHECKED_MESHES)):
            for variant in variants:
                for metric, value in row[kind].get(variant, {}).items():
                    if metric in FLOORS and value is not None:
                        found.setdefault(f"{kind}/{variant}/{metric}", {})[item] = value
    return found


def _is_even(by_item: dict[str, list[float]]) -> bool:
    return len({len(row) for row in by_item.values()}) == 1


def _spread(values: Sequence[float] | npt.NDArray[np.float64]) -> float:
    return round(float(np.std(values, ddof=1)), DIGITS) if len(values) > 1 else 0.0


def _is_higher_better(metric: str) -> bool:
    return metric in mask_metrics.HIGHER_IS_BETTER or metric in mesh_metrics.HIGHER_IS_BETTER


def _fell(metric: str, was: float, now: float) -> float:
    # Rounded as the baseline is: a figure that did not change has not fallen.
    return round(was - now if _is_higher_better(metric) else now - was, DIGITS)


def _worst(metric: str) -> float:
    return 0.0 if _is_higher_better(metric) else 1.0
