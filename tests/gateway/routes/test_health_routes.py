"""Probes."""

from __future__ import annotations

import pytest

from services.common.errors import StageUnavailable


def test_healthz_asks_nobody(house):
    house.orchestrator.status_error = StageUnavailable("gone")
    assert house.http.get("/healthz").json()["status"] == "alive"
    assert house.orchestrator.status_calls == 0


def test_readyz_is_ready_when_all_serve(house):
    answer = house.http.get("/readyz")
    assert (answer.status_code, answer.json()["status"], answer.json()["reasons"]) == (200, "ready", [])


def test_missing_depth_is_degraded_and_still_200(house):
    house.orchestrator.down = {"depth": "no weights"}
    answer = house.http.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["reasons"] == ["depth: no weights"]


@pytest.mark.parametrize("stage", ["segmentation", "mesher"])
def test_missing_stage_is_503_with_its_reason(house, stage):
    house.orchestrator.down = {stage: "its model is loading"}
    answer = house.http.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "down")
    assert answer.json()["reasons"] == [f"{stage}: its model is loading"]


def test_missing_orchestrator_is_503_with_its_reason(house):
    house.orchestrator.status_error = StageUnavailable("the orchestrator does not answer")
    answer = house.http.get("/readyz")
    assert (answer.status_code, answer.json()["reasons"]) == (503, ["the orchestrator does not answer"])


def test_readyz_tells_no_addresses(house):
    assert "50051" not in house.http.get("/readyz").text


def test_many_probes_ask_once(house):
    for _ in range(20):
        house.http.get("/readyz")
    assert house.orchestrator.status_calls <= 3


def test_draining_gateway_is_not_ready_but_alive(house):
    house.http.app.state.gateway.draining.on = True
    assert house.http.get("/readyz").status_code == 503
    assert house.http.get("/healthz").status_code == 200


def test_metrics_are_prometheus_text(house, photo):
    house.http.post("/remove-bg", files={"file": photo})
    answer = house.http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert 'unflat_request_seconds_count{code="200",method="POST /remove-bg"}' in answer.text


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/page/app.js"])
def test_head_is_answered_as_get_is_without_a_body(house, path):
    answer, whole = house.http.head(path), house.http.get(path)
    assert answer.status_code == whole.status_code
    assert answer.headers["content-type"] == whole.headers["content-type"]
    assert answer.content == b""


def test_head_of_what_is_not_there_is_404_and_of_rembgs_route_refused(house):
    assert house.http.head("/jobs/none").status_code == 404
    assert house.http.head("/api/remove", params={"url": "http://example.com/a.jpg"}).status_code == 405
