"""What a running system counts: asked as Prometheus asks, and by a Prometheus where there is one."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from deploy.observability.dashboard import ROWS
from services.cli.local_prometheus import LocalPrometheus, configuration, find_prometheus, targets_of
from services.cli.local_services import LocalServices
from tests.waiting import until

pytestmark = pytest.mark.e2e
SERVICES = ("segmentation", "depth", "mesher", "orchestrator", "gateway")
STAGES = SERVICES[:3]
QUERIES = [expression for row in ROWS for panel in row.panels for expression, _ in panel.asks]


def _samples(text: str, name: str) -> list[Any]:
    return [s for family in text_string_to_metric_families(text) for s in family.samples if s.name == name]


def _value(text: str, name: str, **labels: str) -> float:
    return sum(s.value for s in _samples(text, name) if labels.items() <= s.labels.items())


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_times_every_phase_of_a_call(counted, stage):
    text = counted[stage]
    for phase in ("queue", "preprocess", "compute", "postprocess"):
        assert _value(text, "unflat_phase_seconds_count", stage=stage, phase=phase, outcome="OK") == 1, phase


@pytest.mark.parametrize("stage", STAGES)
def test_the_orchestrator_times_the_way_there_and_back(counted, stage):
    found = _samples(counted["orchestrator"], "unflat_phase_seconds_count")
    (one,) = [s for s in found if s.labels["phase"] == "transport" and s.labels["stage"] == stage]
    assert one.value == 1
    assert one.labels["backend"] and one.labels["device"]


@pytest.mark.parametrize("stage", STAGES)
def test_demand_is_there_and_zero_when_nobody_wants_anything(counted, stage):
    text = counted["orchestrator"]
    (demand,) = [s for s in _samples(text, "unflat_stage_demand") if s.labels["stage"] == stage]
    assert demand.value == 0
    assert _value(text, "unflat_stage_calls_total", stage=stage, result="OK") == 1
    missed = [s for s in _samples(text, "unflat_stage_calls_total") if s.labels["result"] == "STAGE_UNAVAILABLE"]
    assert {s.labels["stage"] for s in missed if s.value == 0} == set(STAGES)


def test_a_mesh_is_counted_with_how_it_looks(counted):
    text = counted["orchestrator"]
    assert _value(text, "unflat_meshes_total") == 1
    assert _value(text, "unflat_mesh_thickness_ratio_count") == 1
    assert _value(text, "unflat_answers_total", degraded="no") == 1


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_counted_leads_to_the_trace(counted, caller, service):
    found = [s for s in _samples(counted[service], "unflat_request_seconds_bucket") if s.exemplar]
    assert {s.exemplar.labels["trace_id"] for s in found} >= {caller[0]}


@pytest.mark.parametrize("service", SERVICES)
def test_series_are_few(counted, service):
    families = text_string_to_metric_families(counted[service])
    assert sum(len(family.samples) for family in families) < 600


def test_no_counter_has_a_twin_that_nobody_reads(counted):
    assert "_created" not in counted["mesher"]


@pytest.fixture(scope="module")
def prometheus(asked: LocalServices) -> Iterator[LocalPrometheus]:
    """A Prometheus as `unflat up --observability` starts it."""
    binary = find_prometheus()
    assert binary is not None
    one = LocalPrometheus(binary, targets_of(asked.addresses()))
    yield one
    one.stop()


@pytest.fixture(scope="module")
def ask(prometheus: LocalPrometheus) -> Callable[..., Any]:
    """Ask its HTTP API once it is up."""

    def get(path: str, **parameters: str) -> Any:
        url = f"http://{prometheus.address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as problem:
            if problem.code == HTTPStatus.SERVICE_UNAVAILABLE:  # it listens before it is ready
                return None
            pytest.fail(f"{parameters}: {problem.read().decode()}")
        except OSError:
            return None

    until(lambda: get("query", query="up"))
    return get


@pytest.mark.needs_prometheus
def test_prometheus_reads_every_service(ask):
    def up() -> bool:
        found = ask("query", query="up == 1")["result"]
        return {one["metric"]["job"] for one in found} == {f"unflat-{name}" for name in SERVICES}

    assert until(up)


@pytest.mark.needs_prometheus
def test_it_has_the_rules(ask):
    groups = {group["name"] for group in ask("rules")["groups"]}
    assert {"unflat-levels", "unflat-burn", "unflat-levels-alerts", "unflat-causes"} <= groups


@pytest.mark.needs_prometheus
def test_every_query_of_the_dashboard_parses(ask):
    for query in QUERIES:
        assert ask("query", query=query.replace("$__rate_interval", "1m")) is not None, query


@pytest.mark.needs_prometheus
def test_it_keeps_exemplars(ask, caller):
    def found() -> bool:
        query = {
            "query": "unflat_request_seconds_bucket",
            "start": "2000-01-01T00:00:00Z",
            "end": "2100-01-01T00:00:00Z",
        }
        series = ask("query_exemplars", **query)
        return any(e["labels"].get("trace_id") == caller[0] for one in series for e in one["exemplars"])

    assert until(found)


def test_a_configuration_without_rules_has_none(tmp_path):
    assert "rule_files" not in configuration({"mesher": "127.0.0.1:1"}, tmp_path / "missing")


def test_services_without_a_metrics_port_are_left_out():
    said = {
        "mesher": {"address": "0.0.0.0:50053", "metrics_port": 9090},
        "gateway": {"address": "127.0.0.1:8000", "metrics_port": -1},
    }
    assert targets_of(said) == {"mesher": "127.0.0.1:9090"}
