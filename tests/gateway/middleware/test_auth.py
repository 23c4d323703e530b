"""The bearer token."""

from __future__ import annotations

import pytest

TOKEN = "s3cret"


@pytest.fixture
def locked(open_house):
    return open_house(token=TOKEN)


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, "Bearer s3cret2", "Bearer s3cre\u00e9"]
)
def test_request_without_the_token_is_401(locked, photo, header):
    headers = {} if header is None else {"Authorization": header.encode("latin-1")}
    answer = locked.http.post("/remove-bg", files={"file": photo}, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert not locked.orchestrator.calls


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_request_with_the_token_passes(locked, photo, scheme):
    headers = {"Authorization": f"{scheme} {TOKEN}"}
    assert locked.http.post("/remove-bg", files={"file": photo}, headers=headers).status_code == 200


def test_rembg_path_refuses_in_rembgs_shape(locked, photo):
    answer = locked.http.post("/api/remove", files={"file": photo})
    assert answer.status_code == 401
    assert set(answer.json()) == {"detail"}


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/docs", "/openapi.json"])
def test_probes_and_docs_need_no_token(locked, path):
    assert locked.http.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/metrics", "/receipts/x", "/nowhere"])
def test_everything_else_needs_it(locked, path):
    assert locked.http.get(path).status_code == 401


def test_size_is_judged_after_the_token(open_house):
    house = open_house(token=TOKEN, max_upload_mb=1)
    assert house.http.post("/remove-bg", files={"file": b"x" * (2 << 20)}).status_code == 401
