"""The dashboard: what is committed is what the generator writes, and each of its queries means something."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import Counter, Gauge, Histogram

from deploy.observability.dashboard import PATH, ROWS, dashboard
from services.common.telemetry import metrics

RECORDING = Path(__file__).resolve().parents[2] / "deploy" / "observability" / "rules" / "recording.yaml"
QUERIES = [expression for row in ROWS for panel in row.panels for expression, _ in panel.asks]
OF_PROCESSES = {"process_resident_memory_bytes", "process_cpu_seconds_total"}


@pytest.fixture(scope="module")
def committed() -> Any:
    return json.loads(PATH.read_text(encoding="utf-8"))


def _names() -> dict[str, set[str]]:
    """Return every name that may be asked for, with its labels."""
    found = {}
    for metric in vars(metrics).values():
        if isinstance(metric, Histogram):
            found |= {metric._name + part: {*metric._labelnames, "le"} for part in ("_bucket", "_sum", "_count")}
        elif isinstance(metric, Counter | Gauge):
            found[metric._name + ("_total" if isinstance(metric, Counter) else "")] = set(metric._labelnames)
    for group in yaml.safe_load(RECORDING.read_text(encoding="utf-8"))["groups"]:
        found |= {rule["record"]: {"slo", "stage"} for rule in group["rules"]}
    return found


def test_the_committed_json_is_what_the_generator_writes(committed):
    assert committed == dashboard(), "run python -m deploy.observability.dashboard"


@pytest.mark.parametrize("query", QUERIES)
def test_queries_name_metrics_and_labels_that_exist(query):
    known = _names()
    bare = re.sub(r'"[^"]*"', '""', query)
    for name in re.findall(r"\b(?:unflat|process)[\w:]+", bare):
        assert name in known or name in OF_PROCESSES, name
    for name, selector in re.findall(r"\b(unflat\w+)\{(.*?)\}", bare):
        assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector)) <= known[name], name


def test_legends_show_labels_that_their_query_keeps():
    for row in ROWS:
        for panel in row.panels:
            for expression, legend in panel.asks:
                for label in re.findall(r"\{\{(\w+)\}\}", legend):
                    kept = re.search(rf"by \([^)]*\b{label}\b", expression) or ":" in expression
                    assert kept or label in ("job", "instance"), (panel.title, label)


def test_panels_do_not_overlap_and_have_ids_of_their_own(committed):
    taken: set[tuple[int, int]] = set()
    for panel in committed["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    ids = [panel["id"] for panel in committed["panels"]]
    assert len(set(ids)) == len(ids)


def test_every_panel_says_how_to_read_it(committed):
    for panel in committed["panels"]:
        if panel["type"] != "row":
            assert panel["description"].endswith("."), panel["title"]
