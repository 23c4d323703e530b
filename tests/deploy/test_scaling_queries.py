"""What the scalers' queries say, evaluated by Prometheus's tool: when depth wakes, when it sleeps, what a loss is."""

import subprocess

import pytest
import yaml

from deploy.k8s.check import K8S

pytestmark = pytest.mark.needs_prometheus

NOW = "10m5s"  # between two samples: old and new Prometheus differ in whether a window holds its first instant
ZERO = "0x40"  # as many samples, one each 15 s


def query(name):
    scaler = yaml.safe_load((K8S / f"components/keda/{name}.yaml").read_text(encoding="utf-8"))
    return scaler["spec"]["triggers"][0]["metadata"]["query"]


def demand(pod, values, stage="depth"):
    return {"series": f'unflat_stage_demand{{stage="{stage}",pod="{pod}"}}', "values": values}


def calls(pod, result, values, stage="depth"):
    return {"series": f'unflat_stage_calls_total{{stage="{stage}",result="{result}",pod="{pod}"}}', "values": values}


@pytest.fixture
def answers(tmp_path):
    """Returns True where a query answers `wanted` (None: nothing at all) over the series, else promtool's word."""

    def ask(name, series, wanted, form="{}"):
        samples = [] if wanted is None else [{"labels": "{}", "value": wanted}]
        case = {"interval": "15s", "input_series": series}
        case["promql_expr_test"] = [{"expr": form.format(query(name)), "eval_time": NOW, "exp_samples": samples}]
        file = tmp_path / "queries.yaml"
        file.write_text(yaml.safe_dump({"evaluation_interval": "15s", "tests": [case]}))
        done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, check=False)
        return done.returncode == 0 or done.stdout + done.stderr

    return ask


def test_a_stage_is_wanted_by_what_all_orchestrators_have_with_it(answers):
    series = [demand("a", "3x40", "mesher"), demand("b", "2x40", "mesher"), demand("a", "9x40", "depth")]
    series.append(calls("a", "OVERLOADED", ZERO, "mesher"))
    assert answers("mesher", series, 5) is True


def test_a_short_peak_counts_by_its_share_of_a_minute(answers):
    series = [demand("a", "0x38 4 4", "mesher"), calls("a", "OVERLOADED", ZERO, "mesher")]
    assert answers("mesher", series, 2) is True


def test_calls_that_a_stage_had_no_room_for_are_wanted_too(answers):
    series = [demand("a", "1x40", "segmentation"), calls("a", "OVERLOADED", "0+15x40", "segmentation")]
    assert answers("segmentation", series, 2) is True  # one under way, one a second turned away


def test_depth_sleeps_while_nobody_wants_it(answers):
    series = [demand("a", ZERO), *(calls("a", r, ZERO) for r in ("STAGE_UNAVAILABLE", "OVERLOADED", "BREAKER_OPEN"))]
    assert answers("depth", series, 0) is True


@pytest.mark.parametrize("result", ["STAGE_UNAVAILABLE", "BREAKER_OPEN"])
def test_one_call_that_found_no_depth_wakes_it(answers, result):
    series = [demand("a", ZERO), calls("a", result, "0x36 1 1 1 1"), calls("a", "OK", "0+1x40")]
    assert answers("depth", series, 1, "({}) > bool 0") is True  # more than nothing, which is what KEDA wakes at


def test_depth_goes_back_to_sleep_two_minutes_after_the_last_call(answers):
    series = [demand("a", ZERO), calls("a", "STAGE_UNAVAILABLE", "0x20 5x20")]
    assert answers("depth", series, 0) is True


@pytest.mark.parametrize("name", ["segmentation", "depth", "mesher", "orchestrator"])
def test_without_orchestrators_the_answer_is_nothing_never_zero(answers, name):
    assert answers(name, [], None) is True


def test_the_orchestrator_is_wanted_by_requests_at_work_and_waiting(answers):
    series = [
        {"series": 'unflat_in_flight{stage="orchestrator",pod="a"}', "values": "4x40"},
        {"series": 'unflat_in_flight{stage="mesher",pod="c"}', "values": "9x40"},
        {"series": 'unflat_queued{stage="orchestrator",pod="a"}', "values": "7x40"},
    ]
    assert answers("orchestrator", series, 11) is True
