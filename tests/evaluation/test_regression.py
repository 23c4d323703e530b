"""The guard holds quality on the fixed set to the committed figures, and bites when something breaks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evaluation import guard, in_process
from evaluation.figures import Figures, gather
from evaluation.in_process import SIMULATED, Plan
from evaluation.regression import find_falls, write_baseline
from evaluation.run import run_set
from evaluation.sets import Item, open_set
from services.segmentation.refine.chain import Refined

ROOT = Path(__file__).parents[2] / "evaluation"
MASKS_ONLY = Plan(("raw", "refined"), (), SIMULATED)


def figures_of(values: dict[str, float], metric: str = "iou") -> Figures:
    return {"settings": {}, "items": {k: {"masks": {"final": {metric: v}}, "meshes": {}} for k, v in values.items()}}


def run(items: Sequence[Item], disturbance: int | None = None) -> Figures:
    plan = replace(MASKS_ONLY, disturbance=disturbance)
    return gather([one.figures for one in run_set(items, plan)], {})


def test_quality_holds_on_the_fixed_set() -> None:
    baseline = json.loads((ROOT / "baseline.json").read_text(encoding="utf-8"))
    falls = guard.compare(guard.measure(open_set(ROOT / "fixed")), baseline)
    assert not falls, "\n".join(str(fall) for fall in falls)


def test_planted_regression_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    items = open_set(ROOT / "fixed", limit=3)
    baseline = write_baseline(run(items), [run(items, 1), run(items, 2)])
    assert not find_falls(run(items), baseline)

    def lazy(rgb: Any, alpha: Any, options: Any) -> Refined:
        return Refined(alpha, alpha, 0.0, ())

    monkeypatch.setattr(in_process, "refine", lazy)
    falls = find_falls(run(items), baseline)
    assert {(fall.way, fall.metric) for fall in falls if not fall.item} >= {("refined", "iou"), ("refined", "mae")}


def test_fall_within_the_measured_noise_is_let_pass() -> None:
    baseline = write_baseline(figures_of({"a": 0.90}), [figures_of({"a": 0.88}), figures_of({"a": 0.92})])
    assert not find_falls(figures_of({"a": 0.86}), baseline)
    assert find_falls(figures_of({"a": 0.80}), baseline)


def test_one_item_that_collapses_is_seen_behind_a_steady_mean() -> None:
    before = {f"i{k}": 0.9 for k in range(10)}
    after = {**dict.fromkeys(before, 0.905), "i0": 0.86}
    falls = find_falls(figures_of(after), write_baseline(figures_of(before), [figures_of(before)] * 2))
    assert [(fall.item, fall.metric) for fall in falls] == [("i0", "iou")]


def test_gain_is_no_fall() -> None:
    baseline = write_baseline(figures_of({"a": 0.5}), [figures_of({"a": 0.5})] * 2)
    assert not find_falls(figures_of({"a": 0.9}), baseline)


def test_lower_is_better_for_errors() -> None:
    baseline = write_baseline(figures_of({"a": 0.02}, "mae"), [figures_of({"a": 0.02}, "mae")] * 2)
    assert not find_falls(figures_of({"a": 0.01}, "mae"), baseline)
    assert find_falls(figures_of({"a": 0.03}, "mae"), baseline)


def test_item_that_is_gone_counts_as_a_fall() -> None:
    baseline = write_baseline(figures_of({"a": 0.9, "b": 0.9}), [figures_of({"a": 0.9, "b": 0.9})] * 2)
    assert [fall.item for fall in find_falls(figures_of({"a": 0.9}), baseline)] == ["", "b"]


def test_noise_cannot_be_told_from_one_run() -> None:
    with pytest.raises(ValueError, match="two or more"):
        write_baseline(figures_of({"a": 0.9}), [])
