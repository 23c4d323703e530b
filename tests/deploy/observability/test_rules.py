"""Prometheus' own tools on the rules: they parse, every alert is silent on a quiet day and fires on a bad one."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.checks import metric_names
from deploy.checks.manifests import ROOT
from services.common.telemetry import metrics

FOLDER = ROOT / "deploy" / "observability"
RULES = sorted((FOLDER / "rules").glob("*.yaml"))
TESTS = sorted((FOLDER / "rules" / "tests").glob("*.yaml"))


def _rules() -> list[dict[str, Any]]:
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]]
    return [rule for group in groups for rule in group["rules"]]


ALERTS = [rule for rule in _rules() if "alert" in rule]
RECORDED = {rule["record"] for rule in _rules() if "record" in rule}


def _promtool(*arguments: str | Path) -> str:
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def _case_alerts() -> tuple[set[str], set[str]]:
    """Return the alerts that some test wants silent, and those that some test wants to fire."""
    silent, firing = set(), set()
    for path in TESTS:
        for test in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]:
            for case in test.get("alert_rule_test", []):
                (firing if case["exp_alerts"] else silent).add(case["alertname"])
    return silent, firing


@pytest.mark.needs_prometheus
def test_rules_parse():
    assert "FAILED" not in _promtool("check", "rules", *RULES)


@pytest.mark.needs_prometheus
def test_the_configuration_beside_compose_is_valid():
    _promtool("check", "config", FOLDER / "prometheus.yaml")


@pytest.mark.needs_prometheus
@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_alerts_fire_when_they_should_and_only_then(path):
    _promtool("test", "rules", path)


def test_every_alert_is_tested_both_ways():
    names = {alert["alert"] for alert in ALERTS}
    silent, firing = _case_alerts()
    assert names == silent == firing


def test_rules_name_metrics_and_labels_that_exist():
    for rule in _rules():
        assert list(metric_names.problems(rule["expr"])) == [], rule
        assert set(re.findall(r"\bunflat:[\w:]+", rule["expr"])) <= RECORDED, rule


def test_levels_ask_for_buckets_that_exist():
    limits = {f"{limit}" for limit in metrics.SECONDS}
    for rule in _rules():
        assert set(re.findall(r'le="([^"]+)"', rule["expr"])) <= limits, rule


def test_every_alert_says_how_bad_it_is_and_where_its_section_is():
    sections = re.findall(r"^## (\w+)$", (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8"), re.M)
    assert sorted(sections) == sorted(alert["alert"] for alert in ALERTS)
    for alert in ALERTS:
        assert alert["labels"]["severity"] in ("page", "ticket")
        assert alert["annotations"]["runbook_url"] == f"docs/runbook.md#{alert['alert'].lower()}"


def test_every_section_of_the_runbook_says_what_it_means_and_what_to_do():
    text = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    for section in re.split(r"^## ", text, flags=re.M)[1:]:
        name = section.split("\n", 1)[0]
        for part in ("**Means.**", "**Look at.**", "**Do.**"):
            assert section.count(part) == 1, (name, part)


def test_the_runbook_names_only_metrics_that_exist():
    text = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    for name in re.findall(r"`(unflat_[a-z_]+)", text):
        assert any(known.startswith(name) for known in metric_names.known()), name
