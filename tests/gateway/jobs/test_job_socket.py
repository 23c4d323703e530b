"""The socket: options, photo, progress, mesh; and who may open one."""

from __future__ import annotations

import base64
import threading

import pytest
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from services.common.errors import NoSubject
from services.common.options import MeshOptions
from tests.waiting import until

URL = "/ws/generate-mesh"


def talk(house, photo, options="{}"):
    """Return all JSON messages, and the result where there is one."""
    with house.http.websocket_connect(URL) as socket:
        socket.send_text(options)
        socket.send_bytes(photo)
        told = [socket.receive_json()]
        while told[-1]["state"] in ("queued", "running"):
            told.append(socket.receive_json())
        return told, socket.receive_bytes() if told[-1]["state"] == "done" else None


def refusal(house, *messages):
    """Return the problem and the close code."""
    with house.http.websocket_connect(URL) as socket:
        for message in messages:
            (socket.send_text if isinstance(message, str) else socket.send_bytes)(message)
        problem = socket.receive_json()
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()
        return problem, closed.value.code


def test_photo_becomes_progress_and_then_the_mesh(house, photo):
    told, mesh = talk(house, photo)
    assert mesh == house.orchestrator.mesh
    assert len({each["id"] for each in told}) == 1
    assert told[-1]["result"]["bytes"] == len(mesh)
    fractions = [each["fraction"] for each in told]
    assert fractions == sorted(fractions)


def test_options_have_the_names_and_defaults_of_the_form(house, photo):
    talk(house, photo, '{"preset": "fast", "depth": false, "format": "ply", "resolution": 64, "kernel_size": 5}')
    assert house.last()["mesh"] == MeshOptions(format="ply", resolution=64)
    assert (house.last()["mask"].preset, house.last()["mask"].depth, house.last()["mask"].kernel_size) == (
        "fast",
        False,
        5,
    )
    talk(house, photo)
    assert (house.last()["mask"].preset, house.last()["mask"].depth) == ("balanced", True)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ("not json", "options"),
        ("[]", "options"),
        ('{"resolution": 1}', "resolution"),
        ('{"kernel_size": 4}', "kernel_size"),
        ('{"no_such_option": 1}', "no_such_option"),
        ('{"a":"' + "x" * 70_000 + '"}', "options"),
    ],
)
def test_bad_options_are_a_problem_that_names_the_field(house, options, field):
    problem, code = refusal(house, options)
    assert (problem["status"], problem["field"], code) == (422, field, 1008)
    assert problem["request_id"]
    assert not house.orchestrator.calls


def test_empty_photo_is_a_problem(house):
    problem, code = refusal(house, "{}", b"")
    assert (problem["code"], code) == ("INVALID_IMAGE", 1008)


def test_large_photo_is_a_problem(open_house):
    problem, code = refusal(open_house(max_upload_mb=1), "{}", bytes((1 << 20) + 1))
    assert (problem["status"], code) == (413, 1009)


def test_messages_in_the_wrong_order_are_a_problem(house, photo):
    problem, _ = refusal(house, photo)
    assert "one text message" in problem["detail"]


def test_photo_that_never_comes_is_not_waited_for_for_ever(open_house):
    problem, _ = refusal(open_house(upload_timeout_s=0.05), "{}")
    assert "0.05 s" in problem["detail"]


def test_failed_job_is_told_and_has_no_result(house, photo):
    house.orchestrator.error = NoSubject("a blank wall")
    told, mesh = talk(house, photo)
    assert (told[-1]["state"], told[-1]["error"]["detail"], mesh) == ("failed", "a blank wall", None)


def test_job_goes_on_when_the_socket_is_gone(house, photo):
    house.orchestrator.gate = threading.Event()
    with house.http.websocket_connect(URL) as socket:
        socket.send_text("{}")
        socket.send_bytes(photo)
        job_id = socket.receive_json()["id"]
    house.orchestrator.gate.set()
    until(lambda: house.http.get(f"/jobs/{job_id}").json()["state"] == "done")
    job = house.http.get(f"/jobs/{job_id}").json()
    assert house.http.get(f"/jobs/{job_id}/result").content == house.orchestrator.mesh
    assert job["error"] is None


def test_socket_needs_the_token(open_house, photo):
    house = open_house(token="s3cret")
    for wrong in ({}, {"headers": {"Authorization": "Bearer no"}}, {"subprotocols": ["unflat", "bearer.bm8"]}):
        with pytest.raises(WebSocketDenialResponse) as denied, house.http.websocket_connect(URL, **wrong):
            pass
        assert denied.value.status_code == 401


@pytest.mark.parametrize("token", ["s3cret", "other/+token?"])
def test_token_may_come_as_header_or_subprotocol(open_house, token):
    house = open_house(token="s3cret, other/+token?")
    with house.http.websocket_connect(URL, headers={"Authorization": f"Bearer {token}"}):
        pass
    written = base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
    with house.http.websocket_connect(URL, subprotocols=["unflat", f"bearer.{written}"]) as socket:
        assert socket.accepted_subprotocol == "unflat"


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://testserver", True),
        ("https://page.example", True),
        ("https://evil.example", False),
        ("null", False),
        ("http://testserver.evil.example", False),
    ],
)
def test_pages_from_elsewhere_may_not_open_sockets(open_house, origin, allowed):
    house = open_house(cors_origins="https://page.example")
    connect = house.http.websocket_connect(URL, headers={"Origin": origin})
    if allowed:
        with connect:
            return
    with pytest.raises(WebSocketDenialResponse) as denied, connect:
        pass
    assert denied.value.status_code == 403
