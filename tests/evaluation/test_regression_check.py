"""The regression check holds quality on the fixed set to the committed figures, and says when something broke."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from evaluation import regression_check
from evaluation.__main__ import BASELINE
from evaluation.evaluate import evaluate_set
from evaluation.raw_masks import SIMULATED
from evaluation.regression_check import baseline_of, find_regressions
from evaluation.report.figures import Figures, gather
from evaluation.requests import Plan
from evaluation.sets import FIXED, Item, open_set
from services.segmentation import server
from services.segmentation.refine.chain import Refined, refine

pytestmark = pytest.mark.slow

MASKS_ONLY = Plan(("raw", "refined"), (), SIMULATED)


def figures_of(values: dict[str, float], metric: str = "iou") -> Figures:
    return {"settings": {}, "items": {k: {"masks": {"final": {metric: v}}, "meshes": {}} for k, v in values.items()}}


def run(items: Sequence[Item], disturbance: int | None = None) -> Figures:
    plan = replace(MASKS_ONLY, disturbance=disturbance)
    return gather([one.figures for one in evaluate_set(items, plan)], {})


def test_quality_holds_on_the_fixed_set() -> None:
    baseline = json.loads(BASELINE.read_text(encoding="utf-8"))
    regressions = regression_check.compare(regression_check.measure(open_set(FIXED)), baseline)
    assert not regressions, "\n".join(map(str, regressions))


def test_planted_regression_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    items = open_set(FIXED, limit=3)
    baseline = baseline_of(run(items), [run(items, 1), run(items, 2)])
    assert not find_regressions(run(items), baseline)

    def lazy(rgb: Any, alpha: Any, options: Any) -> Refined:
        return replace(refine(rgb, alpha, options), alpha=alpha)

    monkeypatch.setattr(server, "refine", lazy)
    found = {(one.variant, one.metric) for one in find_regressions(run(items), baseline) if not one.item}
    assert found >= {("refined", "iou"), ("refined", "mae")}


def test_fall_within_the_measured_noise_is_let_pass() -> None:
    baseline = baseline_of(figures_of({"a": 0.90}), [figures_of({"a": 0.88}), figures_of({"a": 0.92})])
    assert not find_regressions(figures_of({"a": 0.86}), baseline)
    assert find_regressions(figures_of({"a": 0.80}), baseline)


def test_one_item_that_collapses_is_seen_behind_a_steady_mean() -> None:
    before = {f"i{k}": 0.9 for k in range(10)}
    after = {**dict.fromkeys(before, 0.905), "i0": 0.86}
    regressions = find_regressions(figures_of(after), baseline_of(figures_of(before), [figures_of(before)] * 2))
    assert [(one.item, one.metric) for one in regressions] == [("i0", "iou")]


def test_gain_is_no_fall() -> None:
    baseline = baseline_of(figures_of({"a": 0.5}), [figures_of({"a": 0.5})] * 2)
    assert not find_regressions(figures_of({"a": 0.9}), baseline)


def test_lower_is_better_for_errors() -> None:
    baseline = baseline_of(figures_of({"a": 0.02}, "mae"), [figures_of({"a": 0.02}, "mae")] * 2)
    assert not find_regressions(figures_of({"a": 0.01}, "mae"), baseline)
    assert find_regressions(figures_of({"a": 0.03}, "mae"), baseline)


def test_item_that_is_gone_counts_as_a_fall() -> None:
    baseline = baseline_of(figures_of({"a": 0.9, "b": 0.9}), [figures_of({"a": 0.9, "b": 0.9})] * 2)
    assert [one.item for one in find_regressions(figures_of({"a": 0.9}), baseline)] == ["", "b"]


def test_noise_cannot_be_told_from_one_run() -> None:
    with pytest.raises(ValueError, match="two or more"):
        baseline_of(figures_of({"a": 0.9}), [])
