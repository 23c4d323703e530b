"""All figures of a run as one JSON: per item, means with confidence intervals, by tag, and paired differences."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from evaluation.item_figures import ItemFigures
from evaluation.metrics.intervals import Interval, mean_interval, paired_interval
from evaluation.metrics.mask_metrics import Metrics
from evaluation.variants import ABLATIONS, VARIANTS

Figures: TypeAlias = dict[str, Any]
"""What figures.json holds; its keys are written out in docs/evaluation.md."""

MASK_TABLE = ("iou", "boundary_iou", "boundary_f", "mae", "sad_band", "leak", "missing", "holes_kept", "thin_kept")
MESH_TABLE = (
    "chamfer", "f@0.1", "f@0.05", "chamfer_aligned", "f@0.1_aligned", "f@0.05_aligned", "back_recall",
    "silhouette_iou", "flat", "watertight", "outward", "components", "view_depth_ratio",
)  # fmt: skip
ABLATED_MASK = ("iou", "boundary_iou", "boundary_f", "mae")
ABLATED_MESH = ("chamfer", "f@0.1", "f@0.1_aligned", "back_recall", "silhouette_iou", "flat")
DIGITS = 5


def gather(items: Sequence[ItemFigures], settings: dict[str, Any]) -> Figures:
    """Return the figures of a run.

    Args:
        items: one or more.
        settings: how the run was made, copied as it is.
    """
    return {
        "settings": settings,
        "count": len(items),
        "mean": {kind: _means(items, kind) for kind in ("masks", "meshes")},
        "by_tag": _by_tag(items),
        "ablations": _ablations(items),
        "items": {item.name: _plain(item) for item in items},
    }


def values_of(items: Iterable[ItemFigures], kind: str, variant: str, metric: str) -> dict[str, float]:
    """Return a metric by item name, where it has a value; `kind` is "masks" or "meshes"."""
    found: dict[str, float] = {}
    for item in items:
        rows: dict[str, Metrics] = getattr(item, kind)
        value = rows.get(variant, {}).get(metric)
        if value is not None:
            found[item.name] = value
    return found


def _means(items: Sequence[ItemFigures], kind: str) -> dict[str, dict[str, Any]]:
    answer: dict[str, dict[str, Any]] = {}
    for variant in VARIANTS:
        rows: list[Metrics] = [getattr(item, kind)[variant] for item in items if variant in getattr(item, kind)]
        metrics = dict.fromkeys(name for row in rows for name in row)
        means = {name: list(values_of(items, kind, variant, name).values()) for name in metrics}
        if rows:
            answer[variant] = {name: _interval(mean_interval(values)) for name, values in means.items() if values}
    return answer


def _by_tag(items: Sequence[ItemFigures]) -> dict[str, Any]:
    tags = sorted({tag for item in items for tag in item.tags})
    answer: dict[str, Any] = {}
    for tag in tags:
        tagged = [item for item in items if tag in item.tags]
        answer[tag] = {
            "count": len(tagged),
            **{
                kind: {
                    variant: {metric: row["mean"] for metric, row in metrics.items()}
                    for variant, metrics in _means(tagged, kind).items()
                }
                for kind in ("masks", "meshes")
            },
        }
    return answer


def _ablations(items: Sequence[ItemFigures]) -> list[dict[str, Any]]:
    """Return the paired differences first - second, over the items that have both."""
    rows: list[dict[str, Any]] = []
    for first, second in ABLATIONS:
        for kind, metrics in (("masks", ABLATED_MASK), ("meshes", ABLATED_MESH)):
            for metric in metrics:
                a, b = values_of(items, kind, first, metric), values_of(items, kind, second, metric)
                both = sorted(a.keys() & b.keys())
                if both:
                    difference = paired_interval([a[name] for name in both], [b[name] for name in both])
                    names = {"first": first, "second": second, "kind": kind, "metric": metric}
                    rows.append(names | _interval(difference) | {"clear": difference.is_clear})
    return rows


def _interval(found: Interval) -> dict[str, float | int]:
    mean, low, high = (round(value, DIGITS) for value in (found.mean, found.low, found.high))
    return {"mean": mean, "low": low, "high": high, "count": found.count}


def _plain(item: ItemFigures) -> dict[str, Any]:
    def rounded(rows: dict[str, Metrics]) -> dict[str, Metrics]:
        return {
            variant: {name: None if value is None else round(value, DIGITS) for name, value in row.items()}
            for variant, row in rows.items()
        }

    return {
        "tags": list(item.tags),
        "masks": rounded(item.masks),
        "meshes": rounded(item.meshes),
        "notes": item.notes,
        "failures": item.failures,
    }


def write_json(path: Path, figures: Any) -> None:
    """Write figures as JSON with a line a value, so that changes of committed ones can be read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
