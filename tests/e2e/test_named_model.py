"""A request that names a model, through the real gateway, orchestrator and segmentation."""

from __future__ import annotations

import io
from collections.abc import Iterator

import httpx2 as httpx
import numpy as np
import pytest
from PIL import Image

from services.cli.local_services import LocalServices

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def http(local_services: LocalServices) -> Iterator[httpx.Client]:
    """A client of the gateway; the system's model store is empty."""
    with httpx.Client(base_url=f"http://127.0.0.1:{local_services.processes['gateway'].port}", timeout=60) as client:
        yield client


def _photo() -> bytes:
    y, x = np.mgrid[0:120, 0:160]
    disc = np.hypot(y - 60, x - 80) < 35
    picture = np.where(disc[..., None], np.uint8([220, 110, 40]), np.uint8([90, 100, 120]))
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    return out.getvalue()


def _ask(http: httpx.Client, url: str, **form: str) -> httpx.Response:
    return http.post(url, files={"file": _photo()}, data=form)


@pytest.mark.parametrize("url", ["/remove-bg", "/api/remove"])
def test_weights_that_are_not_there_are_503_with_the_command_and_others_are_served_all_the_same(http, url):
    for _ in range(8):  # more than open the breaker
        answer = _ask(http, url, model="u2netp")
        assert answer.status_code == 503
        assert "unflat models pull u2netp" in answer.text
    assert _ask(http, url).status_code == 200


def test_the_model_that_runs_may_be_named(http):
    answer = _ask(http, "/remove-bg", model="grabcut")
    assert answer.status_code == 200
    assert "segmentation=grabcut" in answer.headers["x-unflat-backends"]


def test_no_file_of_the_machine_can_be_named(http):
    answer = _ask(http, "/remove-bg", model="onnx:/etc/passwd")
    assert answer.status_code == 422
    assert "there is no model" in answer.text
