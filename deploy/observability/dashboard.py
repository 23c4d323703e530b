"""The Grafana dashboard, written as rows of panels: `python -m deploy.observability.dashboard` writes its JSON anew.

A panel is a title, what it asks and a sentence on how to read it; all else in Grafana's JSON is the same for all.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

PATH = Path(__file__).parent / "grafana" / "unflat.json"
_WIDTH = 24  # columns of Grafana's grid
_HEIGHT = 8
_SOURCE = {"type": "prometheus", "uid": "${source}"}
_REQUESTS = 'method=~"POST /.*|GET /api/remove|/unflat.v1.OrchestratorService/.*"'

Kind = Literal["timeseries", "stat", "table", "heatmap"]
Unit = Literal["short", "s", "reqps", "percentunit", "bytes"]


@dataclass(frozen=True)
class Panel:
    """One picture.

    Attributes:
        asks: PromQL and the legend of its series.
        reads: how to read it, in a sentence.
        width: of 24 columns.
    """

    title: str
    asks: tuple[tuple[str, str], ...]
    reads: str
    unit: Unit = "short"
    kind: Kind = "timeseries"
    width: int = 8


@dataclass(frozen=True)
class Row:
    """Panels on one matter, left to right."""

    title: str
    panels: tuple[Panel, ...]


def _quantile(quantile: float, metric: str, by: str, selector: str = "") -> str:
    return f"histogram_quantile({quantile}, sum by (le, {by}) (rate({metric}_bucket{{{selector}}}[$__rate_interval])))"


ROWS = (
    Row(
        "Service levels",
        (
            Panel(
                "Burn rate, one hour",
                (("unflat:slo_burn:1h", "{{slo}}"),),
                "1 uses up exactly the error budget; above 14.4 a month's budget is gone in two days.",
            ),
            Panel(
                "Burn rate, three days",
                (("unflat:slo_burn:3d", "{{slo}}"),),
                "Above 1 the level is missed if it goes on like this.",
            ),
            Panel(
                "Budget left of three days",
                (("1 - unflat:slo_burn:3d", "{{slo}}"),),
                "Below 0 the level was missed over these three days.",
                "percentunit",
                "stat",
            ),
        ),
    ),
    Row(
        "Requests",
        (
            Panel(
                "Requests a second",
                (
                    (
                        f"sum by (method) (rate(unflat_request_seconds_count{{{_REQUESTS}}}[$__rate_interval]))",
                        "{{method}}",
                    ),
                ),
                "HTTP at the gateway and gRPC at the orchestrator; an HTTP request is seen at both.",
                "reqps",
            ),
            Panel(
                "Failed requests",
                (
                    (
                        f'sum by (method, code) (rate(unflat_request_seconds_count{{{_REQUESTS},code!~"2..|OK"}}'
                        "[$__rate_interval]))",
                        "{{method}} {{code}}",
                    ),
                ),
                "4xx, INVALID_ARGUMENT, FAILED_PRECONDITION and CANCELLED are the caller's; the others are ours.",
                "reqps",
            ),
            Panel(
                "Latency of successful requests",
                (
                    (
                        _quantile(0.5, "unflat_request_seconds", "method", f'{_REQUESTS},code=~"2..|OK"'),
                        "median {{method}}",
                    ),
                    (
                        _quantile(0.95, "unflat_request_seconds", "method", f'{_REQUESTS},code=~"2..|OK"'),
                        "95 % {{method}}",
                    ),
                ),
                "Interpolated within buckets. The levels are 5 s for a cutout and 30 s for a mesh.",
                "s",
            ),
        ),
    ),
    Row(
        "Load",
        (
            Panel(
                "Demand",
                (("unflat:stage_demand:sum", "{{stage}}"),),
                "What scalers act on: calls of the orchestrators to a stage, and those a second that found nobody.",
            ),
            Panel(
                "Concurrency and queue, of their limits",
                (
                    ("sum by (stage) (unflat_in_flight) / sum by (stage) (unflat_concurrency_limit)", "{{stage}}"),
                    ("sum by (stage) (unflat_queued) / sum by (stage) (unflat_queue_limit)", "{{stage}}: queue"),
                ),
                "A stage at 100 % with a growing queue is too small.",
                "percentunit",
            ),
            Panel(
                "Refused and abandoned",
                (
                    ("sum by (stage) (rate(unflat_shed_total[$__rate_interval]))", "{{stage}} refused"),
                    (
                        "sum by (stage, where) (rate(unflat_abandoned_total[$__rate_interval]))",
                        "{{stage}} {{where}}",
                    ),
                    ("sum by (stage) (rate(unflat_admitted_total[$__rate_interval]))", "{{stage}} admitted"),
                ),
                "Refused: the queue was full. Cancelled or expired: the caller left, or its time ran out.",
                "reqps",
            ),
        ),
    ),
    Row(
        "Where the time goes",
        (
            Panel(
                "Phases, mean time of a call",
                (
                    (
                        "sum by (stage, phase) (rate(unflat_phase_seconds_sum[$__rate_interval])) / "
                        "sum by (stage, phase) (rate(unflat_phase_seconds_count[$__rate_interval]))",
                        "{{stage}} {{phase}}",
                    ),
                ),
                "Queue says too few replicas, compute a slow device, transport the network or large pictures.",
                "s",
            ),
            Panel(
                "Compute, 95 %",
                (
                    (
                        _quantile(0.95, "unflat_phase_seconds", "stage, backend, device", 'phase="compute"'),
                        "{{stage}} {{backend}} {{device}}",
                    ),
                ),
                "By backend and device: a replica that fell back to the CPU shows here.",
                "s",
            ),
            Panel(
                "Orchestrator's own steps, mean",
                (
                    (
                        "sum by (step) (rate(unflat_step_seconds_sum[$__rate_interval])) / "
                        "sum by (step) (rate(unflat_step_seconds_count[$__rate_interval]))",
                        "{{step}}",
                    ),
                ),
                "Decode, fuse, cutout, frame and encode run in the orchestrator.",
                "s",
            ),
        ),
    ),
    Row(
        "Degradation",
        (
            Panel(
                "Degraded answers",
                (
                    (
                        "sum by (stage, reason) (rate(unflat_degraded_total[$__rate_interval])) / ignoring (stage, "
                        "reason) group_left sum(rate(unflat_answers_total[$__rate_interval]))",
                        "{{stage}} {{reason}}",
                    ),
                ),
                "Share of all answers. UNAVAILABLE: refused, away or left alone; TIMEOUT: too slow; INVALID: no depth.",
                "percentunit",
            ),
            Panel(
                "Calls to stages, by how they ended",
                (
                    (
                        "sum by (stage, result) (rate(unflat_stage_calls_total[$__rate_interval]))",
                        "{{stage}} {{result}}",
                    ),
                ),
                "BREAKER_OPEN: not tried, because the stage keeps failing.",
                "reqps",
            ),
            Panel(
                "Breakers and health",
                (
                    ("max by (stage) (unflat_breaker_open)", "{{stage}} breaker open"),
                    ("sum by (stage) (unflat_serving)", "{{stage}} replicas that serve"),
                ),
                "A breaker at 1 means that an orchestrator has stopped asking the stage.",
            ),
        ),
    ),
    Row(
        "Meshes and pictures",
        (
            Panel(
                "Meshes",
                (
                    (
                        "sum by (flat, watertight) (rate(unflat_meshes_total[$__rate_interval]))",
                        "flat {{flat}}, watertight {{watertight}}",
                    ),
                    (
                        'sum by (retry) (rate(unflat_meshes_total{retry!="none"}[$__rate_interval]))',
                        "second attempt {{retry}}",
                    ),
                ),
                "Flat: yes is a sheet made of a solid subject; truly is a subject that is flat itself.",
                "reqps",
            ),
            Panel(
                "Thickness",
                (("sum by (le) (increase(unflat_mesh_thickness_ratio_bucket[$__rate_interval]))", "{{le}}"),),
                "Smallest over largest extent; below 0.04 a mesh is a sheet.",
                kind="heatmap",
            ),
            Panel(
                "Silhouette kept, and pictures refused",
                (
                    (
                        "histogram_quantile(0.1, sum by (le) (rate(unflat_mesh_silhouette_iou_ratio_bucket"
                        "[$__rate_interval])))",
                        "silhouette, worst tenth",
                    ),
                    ("sum by (reason) (rate(unflat_decode_refused_total[$__rate_interval]))", "{{reason}} pictures/s"),
                ),
                "Overlap of meshes with their cutouts; and pictures that could not be decoded.",
            ),
        ),
    ),
    Row(
        "Machines",
        (
            Panel(
                "GPU memory used",
                (
                    (
                        'max by (instance, gpu) (unflat_gpu_memory_bytes{kind="used"}) / '
                        'max by (instance, gpu) (unflat_gpu_memory_bytes{kind="total"})',
                        "{{instance}} GPU {{gpu}}",
                    ),
                ),
                "By everybody on the GPU, as the driver counts it. Empty where there is no GPU.",
                "percentunit",
            ),
            Panel(
                "Memory of processes",
                (('process_resident_memory_bytes{job=~".*unflat.*"}', "{{job}} {{instance}}"),),
                "Resident memory. Decoding of pictures runs in processes of its own, which are not counted.",
                "bytes",
            ),
            Panel(
                "Cores busy",
                (('rate(process_cpu_seconds_total{job=~".*unflat.*"}[$__rate_interval])', "{{job}} {{instance}}"),),
                "Cores that each process keeps busy.",
            ),
            Panel(
                "What is loaded",
                (("unflat_model_info", ""),),
                "Backend, device, precision, weights and their licence, by replica.",
                kind="table",
                width=12,
            ),
            Panel(
                "Load of models, versions, certificates",
                (
                    ("max by (stage) (unflat_model_load_seconds)", "{{stage}} loads in (s)"),
                    ("count by (version) (unflat_build_info)", "replicas of {{version}}"),
                    (
                        "min((unflat_certificate_expires_timestamp_seconds > 0) - time())",
                        "first certificate expires in (s)",
                    ),
                ),
                "How long a new replica takes until it serves; which versions run; when a certificate runs out.",
                kind="stat",
                width=12,
            ),
        ),
    ),
)


def dashboard() -> dict[str, Any]:
    """Return the dashboard as Grafana imports it (schema 39, Grafana 11)."""
    panels: list[dict[str, Any]] = []
    y = 0
    for row in ROWS:
        panels.append({"type": "row", "title": row.title, "gridPos": {"x": 0, "y": y, "w": _WIDTH, "h": 1}})
        x, y = 0, y + 1
        for panel in row.panels:
            if x + panel.width > _WIDTH:
                x, y = 0, y + _HEIGHT
            panels.append(_panel(panel, x, y))
            x += panel.width
        y += _HEIGHT
    for number, panel_json in enumerate(panels, 1):
        panel_json["id"] = number
    return {
        "uid": "unflat",
        "title": "unflat",
        "description": "One photo in, one clean cutout and one mesh out: levels, load, time, degradation, meshes.",
        "tags": ["unflat"],
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {
            "list": [{"name": "source", "label": "Data source", "type": "datasource", "query": "prometheus"}]
        },
        "panels": panels,
    }


def _panel(panel: Panel, x: int, y: int) -> dict[str, Any]:
    targets = [
        {
            "refId": chr(ord("A") + number),
            "datasource": _SOURCE,
            "expr": expression,
            "legendFormat": legend,
            "exemplar": "_bucket" in expression and panel.kind == "timeseries",
            "instant": panel.kind in ("stat", "table"),
            **({"format": panel.kind} if panel.kind in ("table", "heatmap") else {}),
        }
        for number, (expression, legend) in enumerate(panel.asks)
    ]
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.reads,
        "datasource": _SOURCE,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": _HEIGHT},
        "fieldConfig": {
            "defaults": {"unit": panel.unit, **({"min": 0} if panel.kind == "timeseries" else {})},
            "overrides": [],
        },
        "targets": targets,
    }


def write() -> None:
    """Write the JSON that is committed."""
    PATH.write_text(json.dumps(dashboard(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
