"""Bodies: not larger than the limit, and complete."""

from __future__ import annotations

import asyncio

import pytest
from PIL import Image
from starlette.exceptions import HTTPException

from services.gateway.middleware.body_limit import BodyLimit
from tests.gateway.conftest import png_of

MIB = 1 << 20
PHOTO = png_of(Image.new("RGB", (12, 8), (10, 20, 30)))
BOUNDARY = "b0undary"
HEADERS = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
PART = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'.encode()
    + PHOTO
    + f"\r\n--{BOUNDARY}--\r\n".encode()
)


def pieces(*chunks):
    yield from chunks


@pytest.mark.parametrize("route", ["/remove-bg", "/api/remove"])
def test_stated_length_beyond_the_limit_is_413(open_house, route):
    house = open_house(max_upload_mb=1)
    answer = house.http.post(route, files={"file": b"x" * (MIB + 1)})
    assert answer.status_code == 413
    assert "1 MiB" in answer.json()["detail"]
    assert not house.orchestrator.calls


@pytest.mark.parametrize("route", ["/remove-bg", "/api/remove"])
def test_body_without_a_length_is_counted(open_house, route):
    house = open_house(max_upload_mb=1)
    answer = house.http.post(route, content=pieces(*[b"x" * 65536] * 17), headers=HEADERS)
    assert answer.status_code == 413
    assert "1 MiB" in answer.json()["detail"]


def test_body_at_the_limit_passes(open_house):
    house = open_house(max_upload_mb=1)
    assert house.http.post("/remove-bg", files={"file": PHOTO.ljust(MIB - 1000, b"\0")}).status_code == 200


def test_body_in_single_bytes_is_read(house):
    answer = house.http.post(
        "/remove-bg", content=pieces(*[PART[i : i + 1] for i in range(len(PART))]), headers=HEADERS
    )
    assert answer.status_code == 200
    assert house.last()["photo"] == PHOTO


@pytest.mark.parametrize("route", ["/remove-bg", "/generate-mesh", "/api/remove"])
@pytest.mark.parametrize("cut", [5, 40, 120, len(PART) - 4])
def test_truncated_multipart_is_400_even_when_the_file_came_whole(house, route, cut):
    answer = house.http.post(route, content=PART[:cut], headers=HEADERS)
    assert answer.status_code == 400
    assert not house.orchestrator.calls


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=", 'multipart/form-data; boundary="other"', "multipart/"],
)
def test_wrong_boundary_is_never_a_crash(house, content_type):
    answer = house.http.post("/remove-bg", content=PART, headers={"Content-Type": content_type})
    assert answer.status_code in (400, 415, 422)


def test_text_after_the_closing_boundary_is_allowed(house):
    answer = house.http.post("/remove-bg", content=PART + b"\r\nepilogue", headers=HEADERS)
    assert answer.status_code == 200


def test_huge_text_field_is_400(house, photo):
    answer = house.http.post("/remove-bg", files={"file": photo}, data={"preset": "x" * (2 * MIB)})
    assert answer.status_code == 400


def test_too_many_fields_are_400(house, photo):
    answer = house.http.post("/remove-bg", files={"file": photo}, data={f"f{i}": "x" for i in range(1100)})
    assert answer.status_code == 400


def test_body_that_does_not_arrive_in_time_is_408():
    async def read(scope, receive, send):
        while (await receive()).get("more_body"):
            pass

    async def trickle():
        await asyncio.Event().wait()

    scope = {"type": "http", "method": "POST", "path": "/remove-bg", "headers": []}
    with pytest.raises(HTTPException) as refused:
        asyncio.run(BodyLimit(read, max_bytes=MIB, timeout_s=0.05)(scope, trickle, None))
    assert refused.value.status_code == 408
