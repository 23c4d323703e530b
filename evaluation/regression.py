"""The guard: does quality on the fixed set still reach the last committed figures?

The run is the same each time, so figures move only when the code, a library or the machine's arithmetic does. What
such chance changes amount to is measured when the baseline is written: the photos are disturbed by a grey level or two
and everything is run again. A mean may fall by `SPREADS` times its spread over these runs, or by the floor below where
that is more. A single item may fall by `SPREADS` times its own spread, or by `ITEM_FACTOR` floors: one item that
collapses is seen though the mean hides it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from evaluation import mask_metrics, mesh_metrics
from evaluation.figures import DIGITS, Figures

Baseline: TypeAlias = dict[str, Any]
"""What baseline.json holds: settings, and for each guarded figure mean, spread and the values of the items."""

SPREADS = 3.0
ITEM_FACTOR = 5.0
# Below these a difference is of no interest, however steady the figure. Photographed truth is no finer (IoU 0.01).
FLOORS = {
    "iou": 0.003, "boundary_iou": 0.006, "boundary_f": 0.006, "mae": 0.001, "leak": 0.004, "bite": 0.004,
    "chamfer": 0.004, "f@0.1": 0.012, "f@0.1_aligned": 0.015, "back_recall": 0.02, "silhouette_iou": 0.006,
    "flat": 0.0, "watertight": 0.0, "outward": 0.0,  # yes or no: no item may turn
}  # fmt: skip
GUARDED_MASKS = ("raw", "refined", "fused", "final")
GUARDED_MESHES = ("final",)


@dataclass(frozen=True)
class Fall:
    """A figure that fell beyond its noise; `item` is empty for the mean over all."""

    way: str
    metric: str
    item: str
    was: float
    now: float
    allowed: float

    def __str__(self) -> str:
        """Return one line for people."""
        where = f" on {self.item}" if self.item else ""
        return f"{self.metric} of {self.way}{where}: {self.was:.4f} -> {self.now:.4f} (noise allows {self.allowed:.4f})"


def write_baseline(figures: Figures, disturbed: Sequence[Figures]) -> Baseline:
    """Return the baseline of a run, with the noise that the disturbed runs show.

    Args:
        figures: of the run as it is.
        disturbed: of two or more runs on slightly disturbed photos.
    Raises:
        ValueError: fewer than two disturbed runs.
    """
    if len(disturbed) < 2:
        raise ValueError(f"{len(disturbed)} disturbed runs; wanted two or more to measure noise")
    guarded: dict[str, Any] = {}
    for key, values in _guarded(figures).items():
        runs = [_guarded(run).get(key, {}) for run in (figures, *disturbed)]
        by_item = {item: [run[item] for run in runs if item in run] for item in values}
        means = (
            np.mean(list(by_item.values()), axis=0) if _is_even(by_item) else [float(np.mean(list(values.values())))]
        )
        guarded[key] = {
            "mean": round(float(np.mean(list(values.values()))), DIGITS),
            "spread": _spread(means),
            "items": {item: {"value": values[item], "spread": _spread(row)} for item, row in by_item.items()},
        }
    return {"settings": figures["settings"], "figures": guarded}


def find_falls(figures: Figures, baseline: Baseline) -> list[Fall]:
    """Return what fell beyond its noise, means first; empty if quality holds.

    A figure or an item that the baseline has and the run has not is a fall to the worst value.
    """
    now = _guarded(figures)
    falls: list[Fall] = []
    for key, row in baseline["figures"].items():
        _, way, metric = key.split("/")
        found = {item: now.get(key, {}).get(item, _worst(metric)) for item in row["items"]}
        allowed = max(FLOORS[metric], SPREADS * row["spread"])
        mean = float(np.mean(list(found.values())))
        if _fell(metric, row["mean"], mean) > allowed:
            falls.append(Fall(way, metric, "", row["mean"], mean, allowed))
        for item, was in row["items"].items():
            alone = max(ITEM_FACTOR * FLOORS[metric], SPREADS * was["spread"])
            if _fell(metric, was["value"], found[item]) > alone:
                falls.append(Fall(way, metric, item, was["value"], found[item], alone))
    return sorted(falls, key=lambda fall: (fall.item != "", fall.way, fall.metric))


def _guarded(figures: Figures) -> dict[str, dict[str, float]]:
    """Return the guarded figures as kind/way/metric → item → value."""
    found: dict[str, dict[str, float]] = {}
    for item, row in figures["items"].items():
        for kind, ways in (("masks", GUARDED_MASKS), ("meshes", GUARDED_MESHES)):
            for way in ways:
                for metric, value in row[kind].get(way, {}).items():
                    if metric in FLOORS and value is not None:
                        found.setdefault(f"{kind}/{way}/{metric}", {})[item] = value
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
