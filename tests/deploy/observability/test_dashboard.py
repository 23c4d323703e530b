"""The dashboard: what is committed is what the generator writes, and each of its queries means something."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from deploy.checks import metric_names
from deploy.checks.manifests import ROOT
from deploy.observability.dashboard import PATH, ROWS, dashboard

RULES = yaml.safe_load((ROOT / "deploy/observability/rules/recording.yaml").read_text(encoding="utf-8"))
RECORDED = {rule["record"] for group in RULES["groups"] for rule in group["rules"]}
QUERIES = [expression for row in ROWS for panel in row.panels for expression, _ in panel.asks]
OF_PROCESSES = {"process_resident_memory_bytes", "process_cpu_seconds_total"}


@pytest.fixture(scope="module")
def committed() -> Any:
    return json.loads(PATH.read_text(encoding="utf-8"))


def test_the_committed_json_is_what_the_generator_writes(committed):
    assert committed == dashboard(), "run python -m deploy.observability.dashboard"


@pytest.mark.parametrize("query", QUERIES)
def test_queries_name_metrics_and_labels_that_exist(query):
    assert list(metric_names.problems(query)) == []
    assert set(re.findall(r"\bprocess_\w+", query)) <= OF_PROCESSES
    for name, selector in re.findall(r"\b(unflat:[\w:]+)(?:\{(.*?)\})?", query):
        assert name in RECORDED
        assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector)) <= {"slo", "stage"}


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


def test_the_runbook_names_panels_that_exist():
    titles = ["Targets", *(panel.title for row in ROWS for panel in row.panels)]  # the first is a page of Prometheus
    text = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
    for name in re.findall(r"(?<!\*)\*([A-Z][^*]+)\*(?!\*)", text):
        assert any(title.startswith(" ".join(name.split())) for title in titles), name
