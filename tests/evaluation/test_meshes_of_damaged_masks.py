"""The experiment on damaged masks: what it reports follows the damage."""

from __future__ import annotations

from pathlib import Path

from evaluation.sets import open_set
from evaluation.why_flat import DAMAGES, as_markdown, measure_damage

FIXED = Path(__file__).parents[2] / "evaluation" / "fixed"
BY_NAME = {kind.name: kind for kind in DAMAGES}


def test_large_leak_costs_shape_and_a_stray_pixel_costs_none() -> None:
    item = open_set(FIXED, limit=1)[0]
    whole = measure_damage(item, BY_NAME["none"], 0.0, with_depth=False)
    leaked = measure_damage(item, BY_NAME["leak"], 0.8, with_depth=False)
    stray = measure_damage(item, BY_NAME["stray pixel"], 1.0, with_depth=False)
    assert leaked["silhouette_iou"] < whole["silhouette_iou"] - 0.1
    assert abs(stray["f@0.1"] - whole["f@0.1"]) < 0.01


def test_table_has_a_line_for_each_row() -> None:
    row: dict[str, float | str] = dict.fromkeys(
        ("f@0.1", "back_recall", "silhouette_iou", "view_depth_ratio", "flat", "gate_silhouette_iou", "gate_score"), 0.5
    )
    table = as_markdown([row | {"damage": "leak", "level": 0.05, "unit": "of the subject's area"}])
    assert table.splitlines()[2].startswith("| leak | 0.05 of the subject's area | 0.500 |")
