"""What every answer carries, whatever happened inside."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY


def count(method, code):
    return REGISTRY.get_sample_value("unflat_request_seconds_count", {"method": method, "code": code}) or 0.0


@pytest.mark.parametrize(("method", "path"), [("GET", "/healthz"), ("GET", "/nowhere"), ("PUT", "/remove-bg")])
def test_every_answer_has_a_request_id_and_security_headers(house, method, path):
    answer = house.http.request(method, path)
    assert answer.headers["x-request-id"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_callers_request_id_is_kept_if_harmless(house):
    assert house.http.get("/healthz", headers={"X-Request-Id": "a-b_c.1"}).headers["x-request-id"] == "a-b_c.1"
    for bad in ("a b", "x" * 65, "<script>"):
        assert house.http.get("/healthz", headers={"X-Request-Id": bad}).headers["x-request-id"] != bad


def test_request_is_counted_by_route_and_status(house, photo):
    before = count("POST /remove-bg", "200")
    house.http.post("/remove-bg", files={"file": photo})
    assert count("POST /remove-bg", "200") == before + 1


def test_labels_stay_bounded_whatever_is_asked(house):
    before = count("GET other", "404")
    for number in range(5):
        house.http.get(f"/no/such/{number}")
    assert count("GET other", "404") == before + 5
    before = count("other other", "404")
    house.http.request("BREW", "/pot")
    assert count("other other", "404") == before + 1


def test_receipts_are_counted_under_their_route_not_their_id(house):
    before = count("GET /receipts/{request_id}", "404")
    house.http.get("/receipts/abc")
    assert count("GET /receipts/{request_id}", "404") == before + 1


def test_defect_is_logged_with_its_trace_and_answered_with_a_fixed_sentence(house, photo, logs):
    house.orchestrator.error = RuntimeError("the inner text")
    answer = house.http.post("/remove-bg", files={"file": photo}, headers={"X-Request-Id": "r-1"})
    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL")
    assert "the inner text" not in answer.text
    assert "r-1" in answer.json()["detail"]
    defect = next(line for line in logs() if line["event"] == "defect")
    assert "RuntimeError: the inner text" in defect["exception"]
    assert defect["request_id"] == "r-1"


def test_request_is_one_log_line_with_its_id(house, photo, logs):
    house.http.post("/remove-bg", files={"file": photo}, headers={"X-Request-Id": "r-2"})
    found = [line for line in logs() if line["event"] == "request"]
    assert [(line["request_id"], line["route"], line["status"]) for line in found] == [("r-2", "/remove-bg", 200)]


def test_no_origin_may_call_by_default(house):
    answer = house.http.get("/healthz", headers={"Origin": "https://page.example"})
    assert "access-control-allow-origin" not in answer.headers


def test_named_origin_may_call_and_read_the_receipt_headers(open_house, photo):
    house = open_house(cors_origins="https://page.example, https://other.example", token="t")
    asked = {"Origin": "https://page.example", "Access-Control-Request-Method": "POST"}
    assert house.http.options("/remove-bg", headers=asked).status_code == 200
    headers = {"Origin": "https://page.example", "Authorization": "Bearer t"}
    answer = house.http.post("/remove-bg", files={"file": photo}, headers=headers)
    assert answer.headers["access-control-allow-origin"] == "https://page.example"
    assert "x-unflat-receipt" in answer.headers["access-control-expose-headers"].lower()
    refused = house.http.post("/remove-bg", headers={"Origin": "https://page.example"})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "https://page.example")
    assert (
        "access-control-allow-origin" not in house.http.get("/healthz", headers={"Origin": "https://x.example"}).headers
    )
