"""Logs: one JSON event a line, named, with the request id."""

from __future__ import annotations

import json
import threading

import pytest
import structlog

from services.common.telemetry.logs import accept_request_id, bind_request, configure_logs, get_logger, new_request_id


@pytest.fixture(autouse=True)
def _as_before():
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def _lines(capsys) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_is_one_json_object_with_service_level_and_time(capsys):
    configure_logs("depth", "info", "json")
    get_logger().info("model loaded", seconds=1.2)
    (line,) = _lines(capsys)
    assert (line["event"], line["service"], line["level"], line["seconds"]) == ("model loaded", "depth", "info", 1.2)
    assert str(line["timestamp"]).endswith("Z")


def test_a_thread_of_its_own_is_named_too_and_has_its_own_request(capsys):
    configure_logs("depth", "info", "json")
    bind_request("main-1")

    def work() -> None:
        get_logger().info("before")
        bind_request("pool-2")
        get_logger().info("after")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    get_logger().info("main")
    before, after, main = _lines(capsys)
    assert {line["service"] for line in (before, after, main)} == {"depth"}
    assert "request_id" not in before
    assert (after["request_id"], main["request_id"]) == ("pool-2", "main-1")


def test_a_trace_stays_on_its_line(capsys):
    configure_logs("depth", "info", "json")
    get_logger().error("defect", exc_info=ZeroDivisionError("by zero"))
    (line,) = _lines(capsys)
    assert "ZeroDivisionError" in str(line["exception"])


def test_below_the_level_nothing_is_written(capsys):
    configure_logs("depth", "warning", "json")
    get_logger().info("not worth a line")
    assert not _lines(capsys)


@pytest.mark.parametrize("given", ["abc-123", "a" * 64, "A_b.c:9"])
def test_a_plain_request_id_is_kept(given):
    assert accept_request_id(given) == given


@pytest.mark.parametrize("given", [None, "", "a" * 65, "two words", "line\nbreak", "é", "x;rm", "\x1b[31m"], ids=repr)
def test_any_other_is_replaced_by_a_fresh_one(given):
    fresh = accept_request_id(given)
    assert fresh != given
    assert fresh.isascii()
    assert fresh.isalnum()


def test_fresh_ids_differ():
    assert len({new_request_id() for _ in range(1000)}) == 1000
