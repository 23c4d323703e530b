"""So many photos a client, judged before the body."""

from __future__ import annotations

import pytest
from starlette.testclient import WebSocketDenialResponse

from services.gateway.middleware.rate_limit import client_of, is_work, open_rates


def scope(host, **headers):
    given = [(name.encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "method": "POST", "path": "/", "headers": given, "client": (host, 1)}


def test_no_rate_no_limit(house, photo):
    assert {house.http.post("/remove-bg", files={"file": photo}).status_code for _ in range(20)} == {200}


@pytest.mark.parametrize("route", ["/remove-bg", "/generate-mesh", "/jobs/cutout", "/jobs/mesh", "/api/remove"])
def test_photo_beyond_the_rate_is_429_with_retry_after(open_house, photo, route):
    house = open_house(rate="2/hour")
    answers = [house.http.post(route, files={"file": photo}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [answers[0].status_code] * 2 + [429]
    assert 1 <= int(answers[2].headers["retry-after"]) <= 3600
    assert "try again in" in answers[2].json()["detail"]
    assert len(house.orchestrator.calls) <= 2


def test_refusal_has_the_shape_of_its_path(open_house, photo):
    house = open_house(rate="1/hour")
    house.http.post("/remove-bg", files={"file": photo})
    assert house.http.post("/remove-bg", files={"file": photo}).json()["code"] == "RATE_LIMITED"
    assert set(house.http.post("/api/remove", files={"file": photo}).json()) == {"detail"}


def test_body_of_a_refused_request_is_never_read(open_house, photo):
    house = open_house(rate="1/hour")
    house.http.post("/remove-bg", files={"file": photo})
    read = []

    def body():
        read.append(1)
        yield b"x"

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = house.http.post("/remove-bg", content=body(), headers=headers)
    assert answer.status_code == 429


def test_looks_are_free(open_house, photo):
    house = open_house(rate="1/hour")
    job = house.http.post("/jobs/cutout", files={"file": photo}).json()
    paths = [f"/jobs/{job['id']}", "/healthz", "/readyz", "/metrics", "/docs", "/api/remove"]
    assert 429 not in {house.http.get(path).status_code for path in paths * 3}


def test_sockets_are_counted(open_house):
    house = open_house(rate="1/hour")
    with house.http.websocket_connect("/ws/generate-mesh"):
        pass
    with pytest.raises(WebSocketDenialResponse) as denied, house.http.websocket_connect("/ws/generate-mesh"):
        pass
    assert denied.value.status_code == 429


def test_each_token_has_its_own_rate(open_house, photo):
    house = open_house(rate="1/hour", token="a,b")

    def post(token):
        return house.http.post(
            "/remove-bg", files={"file": photo}, headers={"Authorization": f"Bearer {token}"}
        ).status_code

    assert [post(token) for token in ("a", "a", "b", "b", "c")] == [200, 429, 200, 429, 401]


def test_invented_tokens_are_no_new_clients_where_none_is_asked_for(open_house, photo):
    house = open_house(rate="1/hour")
    answers = [
        house.http.post("/remove-bg", files={"file": photo}, headers={"Authorization": f"Bearer {n}"}).status_code
        for n in range(2)
    ]
    assert answers == [200, 429]


def test_all_rates_of_a_list_hold(open_house, photo):
    house = open_house(rate="100/second;2/hour")
    assert [house.http.post("/remove-bg", files={"file": photo}).status_code for _ in range(3)] == [200, 200, 429]


def test_household_of_ipv6_is_one_client():
    one, two, other = (client_of(scope(host), False) for host in ("2001:db8::1", "2001:db8::2:3", "2001:db8:0:1::1"))
    assert one == two != other
    assert client_of(scope("::ffff:192.0.2.1"), False) == client_of(scope("192.0.2.1"), False)


def test_key_of_a_token_does_not_tell_it():
    assert "s3cret" not in client_of(scope("192.0.2.1", authorization="Bearer s3cret"), True)


def test_bare_get_of_the_drop_in_is_a_look():
    asked = {**scope("192.0.2.1"), "method": "GET", "path": "/api/remove", "query_string": b""}
    assert not is_work(asked)
    assert is_work({**asked, "query_string": b"url=http://example.org/a.png"})


@pytest.mark.parametrize("rate", ["often", "0/minute", "-1/minute", "5/fortnight", "5 per"])
def test_rate_that_is_none_is_refused_with_an_example(rate):
    with pytest.raises(ValueError, match="60/minute"):
        open_rates(rate, "memory")
