"""Service times from receipts, metrics pages and files."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest

from deploy.capacity.plan import StageTimes
from deploy.capacity.service_times import read_times, scrape_times, times_in_metrics, times_of, write_times
from services.common.errors import InvalidOption, StageUnavailable
from services.common.telemetry.metrics import SECONDS
from unflat.v1 import common_pb2
from unflat.v1 import orchestrator_pb2 as pb


def _stage(name: str, compute_s: float, outcome: pb.Outcome = pb.OUTCOME_OK) -> pb.StageReceipt:
    timings = common_pb2.PhaseTimings(queue_s=9, preprocess_s=0.1, compute_s=compute_s, postprocess_s=0.1)
    report = common_pb2.StageReport(backend="b", device="cpu", timings=timings)
    return pb.StageReceipt(stage=name, outcome=outcome, report=report)


def _by_stage(found: list[StageTimes]) -> dict[str, StageTimes]:
    return {one.stage: one for one in found}


def test_receipts_give_mean_variation_and_calls_a_request_without_waiting():
    steps = [pb.StepTiming(step="decode", seconds=0.2), pb.StepTiming(step="fuse", seconds=0.1)]
    receipts = [
        pb.Receipt(stages=[_stage("mesher", 0.3), _stage("mesher", 0.9)], steps=steps),
        pb.Receipt(stages=[_stage("mesher", 0.6), _stage("depth", 0.1, pb.OUTCOME_TIMEOUT)], steps=steps),
    ]
    found = _by_stage(times_of(receipts))
    mesher = found["mesher"]
    assert mesher.mean_s == pytest.approx(0.8)
    assert mesher.cv2 == pytest.approx(0.06 / 0.64)
    assert mesher.visits == 1.5
    assert found["orchestrator"].mean_s == pytest.approx(0.3)
    assert "depth" not in found


def _page() -> str:
    registry = CollectorRegistry()
    labels = ["stage", "phase", "backend", "device", "outcome"]
    phases = Histogram("unflat_phase_seconds", "…", labels, buckets=SECONDS, registry=registry)
    steps = Histogram("unflat_step_seconds", "…", ["step"], buckets=SECONDS, registry=registry)
    Gauge("unflat_concurrency_limit", "…", ["stage"], registry=registry).labels("mesher").set(2)
    for compute_s in (0.3, 0.7):
        phases.labels("mesher", "queue", "inflate", "cpu", "OK").observe(50)
        phases.labels("mesher", "compute", "inflate", "cpu", "OK").observe(compute_s)
        phases.labels("mesher", "postprocess", "inflate", "cpu", "OK").observe(0.1)
        phases.labels("mesher", "compute", "inflate", "cpu", "CANCELLED").observe(50)
    for step in ("decode", "fuse"):
        for _ in range(2):
            steps.labels(step).observe(0.2)
    return generate_latest(registry).decode()


def test_metrics_give_the_same_without_queue_and_failures():
    found = _by_stage(times_in_metrics([_page()]))
    mesher = found["mesher"]
    assert mesher.mean_s == pytest.approx(0.6)
    assert mesher.concurrency == 2
    assert (mesher.backend, mesher.device, mesher.samples, mesher.visits) == ("inflate", "cpu", 2, 1.0)
    assert 0.05 < mesher.cv2 < 0.4  # exact: 0.11; buckets are coarse
    assert found["orchestrator"].mean_s == pytest.approx(0.4)


def test_two_replicas_of_a_stage_are_one_stage():
    assert _by_stage(times_in_metrics([_page(), _page()]))["mesher"].samples == 4


def test_metrics_without_a_finished_call_are_refused():
    with pytest.raises(InvalidOption, match="send some photos first"):
        times_in_metrics(["# nothing\n"])


def test_a_url_that_does_not_answer_is_named():
    with pytest.raises(StageUnavailable, match=r"http://127\.0\.0\.1:1/metrics"):
        scrape_times(["http://127.0.0.1:1/metrics"])


def test_times_survive_a_file(tmp_path):
    measured = [StageTimes("mesher", 0.4, 0.1, 1.2, 2, "triposr", "cuda", 20)]
    write_times(tmp_path / "times.json", measured)
    assert read_times(tmp_path / "times.json") == measured


@pytest.mark.parametrize("text", ["", "{}", '{"stages": [{"speed": 1}]}'])
def test_a_file_of_something_else_is_refused(tmp_path, text):
    path = tmp_path / "times.json"
    path.write_text(text)
    with pytest.raises(InvalidOption, match="holds no service times"):
        read_times(path)
