"""One self-contained HTML page of a run: the tables, then every item with its pictures, worst first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from evaluation.report.figures import MASK_TABLE, MESH_TABLE, Figures
from evaluation.report.pictures import Tile
from evaluation.variants import VARIANTS

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1500px;padding:0 1.5rem;color:#222;background:#fff}
h1{margin-bottom:0}h2{margin-top:2.5rem}table{border-collapse:collapse;font-size:13px;margin:.6rem 0}
th,td{padding:.2rem .6rem;text-align:right;border-bottom:1px solid #e4e4e4;white-space:nowrap}
th:first-child,td:first-child{text-align:left}thead th{border-bottom:2px solid #999;vertical-align:bottom}
.scroll{overflow-x:auto}.better{color:#15702f}.worse{color:#b3261e}.dim{color:#777}
article{border-top:2px solid #ddd;padding:.4rem 0 1rem;margin-top:1.2rem}.tiles{display:flex;flex-wrap:wrap;gap:8px}
figure{margin:0;font-size:12px;color:#555;text-align:center}figure img{display:block;background:#eee;max-width:176px}
"""
LOWER_IS_BETTER = frozenset(
    {"mae", "sad", "sad_band", "gradient", "leak", "missing", "chamfer", "chamfer_aligned", "flat"}
)


def render_report(figures: Figures, tiles: Mapping[str, Sequence[Tile]], title: str) -> str:
    """Return the page.

    Args:
        figures: of `figures.gather`.
        tiles: pictures by item.
        title: what was evaluated.
    """
    settings = " · ".join(f"{name} {value}" for name, value in figures["settings"].items())
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title><style>{STYLE}</style>",
        f"<h1>{escape(title)}</h1><p class=dim>{figures['count']} items · {escape(settings)}</p>",
        "<p>Means with 95 % bootstrap intervals over the items. In the masks below, red is background that was kept, "
        "blue is subject that was lost.</p>",
        _means_table("Masks", figures["mean"]["masks"], MASK_TABLE),
        _means_table("Meshes", figures["mean"]["meshes"], MESH_TABLE),
        _ablation_table(figures["ablations"]),
        _tag_table("Masks by tag: IoU", figures["by_tag"], "masks", "iou"),
        _tag_table("Masks by tag: Boundary IoU", figures["by_tag"], "masks", "boundary_iou"),
        _tag_table("Meshes by tag: F@0.1 aligned", figures["by_tag"], "meshes", "f@0.1_aligned"),
        "<h2>Items, worst first</h2>",
        *(_item(name, figures["items"][name], tiles.get(name, ())) for name in worst_first(figures)),
        "</html>\n",
    ]
    return "\n".join(part for part in parts if part)


def worst_first(figures: Figures) -> list[str]:
    """Return the items' names by the IoU of their best-developed mask, failures first."""

    def worth(name: str) -> tuple[bool, float, str]:
        row = figures["items"][name]
        masks: Mapping[str, float | None] = row["masks"].get("final") or next(iter(row["masks"].values()), {})
        mesh: Mapping[str, float | None] = row["meshes"].get("final") or {}
        value = masks.get("iou", mesh.get("f@0.1_aligned", mesh.get("f@0.1")))
        return (not row["failures"], 1.0 if value is None else float(value), name)

    return sorted(figures["items"], key=worth)


def _means_table(title: str, means: Mapping[str, Any], columns: Sequence[str]) -> str:
    shown = [name for name in columns if any(name in row for row in means.values())]
    if not shown:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name in shown)
    rows = []
    for variant, row in means.items():
        cells = "".join(f"<td>{_interval(row.get(name))}</td>" for name in shown)
        rows.append(
            f"<tr><td>{escape(variant)} <span class=dim>{escape(VARIANTS[variant].says)}</span></td>{cells}</tr>"
        )
    return _table(title, f"<th>variant</th>{head}", rows)


def _ablation_table(ablations: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for row in ablations:
        gain = -row["mean"] if row["metric"] in LOWER_IS_BETTER else row["mean"]
        tone = ("better" if gain > 0 else "worse") if row["clear"] else "dim"
        span = f"{row['mean']:+.4f} [{row['low']:+.4f}, {row['high']:+.4f}]"
        names = f"<td>{row['first']} − {row['second']}</td><td>{row['kind']}</td><td>{escape(row['metric'])}</td>"
        rows.append(f"<tr>{names}<td class={tone}>{span}</td><td>{row['count']}</td></tr>")
    head = "<th>difference</th><th>of</th><th>figure</th><th>mean, 95 % interval</th><th>items</th>"
    return _table("Ablations, item by item", head, rows) if rows else ""


def _tag_table(title: str, by_tag: Mapping[str, Any], kind: str, metric: str) -> str:
    variants = [variant for variant in VARIANTS if any(metric in row[kind].get(variant, {}) for row in by_tag.values())]
    if not variants:
        return ""
    rows = []
    for tag, row in by_tag.items():
        cells = "".join(f"<td>{_number(row[kind].get(variant, {}).get(metric))}</td>" for variant in variants)
        rows.append(f"<tr><td>{escape(tag)}</td><td>{row['count']}</td>{cells}</tr>")
    head = "<th>tag</th><th>items</th>" + "".join(f"<th>{variant}</th>" for variant in variants)
    return _table(title, head, rows)


def _item(name: str, row: Mapping[str, Any], tiles: Sequence[Tile]) -> str:
    pictures = "".join(
        f'<figure><img loading=lazy alt="" src="{tile.uri}">{escape(tile.caption)}</figure>' for tile in tiles
    )
    said = "".join(
        f"<p class=dim>mesh of {escape(variant)}: {escape(text)}</p>" for variant, text in row["notes"].items()
    )
    failed = "".join(
        f"<p class=worse>{escape(variant)}: {escape(text)}</p>" for variant, text in row["failures"].items()
    )
    tables = "".join(
        _item_table(row[kind], columns) for kind, columns in (("masks", MASK_TABLE), ("meshes", MESH_TABLE))
    )
    tags = escape(" · ".join(row["tags"]))
    head = f'<article id="{escape(name)}"><h3>{escape(name)} <span class=dim>{tags}</span></h3>{failed}'
    body = f"<details><summary>figures</summary>{tables}{said}</details>"
    return f"{head}<div class=tiles>{pictures}</div>{body}</article>"


def _item_table(variants: Mapping[str, Mapping[str, float | None]], columns: Sequence[str]) -> str:
    shown = [name for name in columns if any(name in row for row in variants.values())]
    if not shown:
        return ""
    rows = [
        f"<tr><td>{variant}</td>" + "".join(f"<td>{_number(row.get(name))}</td>" for name in shown) + "</tr>"
        for variant, row in variants.items()
    ]
    return _table("", "<th>variant</th>" + "".join(f"<th>{escape(name)}</th>" for name in shown), rows)


def _table(title: str, head: str, rows: Sequence[str]) -> str:
    name = f"<h2>{escape(title)}</h2>" if title else ""
    body = "".join(rows)
    return f"{name}<div class=scroll><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _interval(row: Mapping[str, float] | None) -> str:
    if row is None:
        return "–"
    return f"{row['mean']:.3f} <span class=dim>{row['low']:.3f}–{row['high']:.3f}</span>"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
