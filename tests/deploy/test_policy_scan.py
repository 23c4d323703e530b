import json
import stat

import pytest

from deploy.checks import policy_scan
from deploy.checks.policy_scan import Finding, scan, unexplained

WHY = "Because the words of a reason are longer than forty letters."
LIMIT = Finding("CKV_K8S_11", "CPU limits should be set", "Deployment.unflat.mesher")


@pytest.fixture
def says(tmp_path):
    """Returns a scanner that prints the given text."""

    def make(text):
        program = tmp_path / "checkov"
        program.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\nexit 1\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return str(program)

    return make


def test_an_explained_finding_is_not_complained_of():
    exception = {"check": "CKV_K8S_11", "resources": r".*\.mesher", "why": WHY}
    assert list(unexplained([LIMIT], [exception])) == []


@pytest.mark.parametrize(("check", "resources"), [("CKV_K8S_12", ".*"), ("CKV_K8S_11", r".*\.depth")])
def test_a_finding_that_nothing_explains_is_told_and_so_is_the_idle_explanation(check, resources):
    told = list(unexplained([LIMIT], [{"check": check, "resources": resources, "why": WHY}]))
    assert told[0] == "Deployment.unflat.mesher: CPU limits should be set (CKV_K8S_11)"
    assert "nothing needs any more" in told[1]


def test_an_exception_without_a_reason_is_told():
    (problem,) = unexplained([LIMIT], [{"check": "CKV_K8S_11", "resources": ".*", "why": "later"}])
    assert "does not say why" in problem


def test_findings_are_read_from_the_scanner_s_answer(says):
    failed = [{"check_id": LIMIT.check, "check_name": LIMIT.name, "resource": LIMIT.resource}] * 2
    answer = {"summary": {"parsing_errors": 0, "resource_count": 2}, "results": {"failed_checks": failed}}
    assert scan(says(json.dumps(answer)), [[{"kind": "Deployment"}]]) == [LIMIT]


@pytest.mark.parametrize("answer", ["", "[]", '{"summary": {"parsing_errors": 1, "resource_count": 2}}'])
def test_a_scan_that_did_not_read_everything_is_an_error_not_a_clean_bill(says, answer):
    with pytest.raises(ValueError, match="scan"):
        scan(says(answer), [[{"kind": "Deployment"}]])


def test_without_a_scanner_that_is_said(monkeypatch, root):
    monkeypatch.setattr(policy_scan, "scanner", lambda root: None)
    (problem,) = policy_scan.problems([], root)
    assert "nothing to scan policies with" in problem
