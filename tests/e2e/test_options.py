"""Options through the real gateway and orchestrator, where a stand-in would say yes to anything."""

from __future__ import annotations

import io

import grpc
import httpx2 as httpx
import numpy as np
import pytest
from PIL import Image

from services.common.errors import InvalidOption
from services.common.rpc_errors import from_rpc_error
from unflat.v1 import orchestrator_pb2 as pb
from unflat.v1 import orchestrator_pb2_grpc as pb_grpc

pytestmark = pytest.mark.e2e


@pytest.fixture
def post(local_services, examples):
    """Sends the mug, small, with a form."""
    with Image.open(examples / "mug.jpg") as photo:
        photo.thumbnail((320, 320))
        out = io.BytesIO()
        photo.save(out, "PNG")

    def send(path, form):
        url = f"http://127.0.0.1:{local_services.processes['gateway'].port}{path}"
        return httpx.post(url, files={"file": out.getvalue()}, data=form, timeout=60)

    return send


def test_an_erosion_beyond_the_picture_takes_the_plain_cutout_as_rembg_does(post):
    eroded, plain = (post("/api/remove", form) for form in ({"a": "true", "ae": "3000"}, {"dc": "true"}))
    assert (eroded.status_code, plain.status_code) == (200, 200), eroded.text
    one, other = (np.asarray(Image.open(io.BytesIO(answer.content))) for answer in (eroded, plain))
    assert np.array_equal(one, other)


@pytest.mark.parametrize(
    ("name", "value"), [("erode_size", 3000), ("depth_percentile", 10.0), ("kernel_size", 4), ("margin_px", 101)]
)
def test_gateway_and_orchestrator_refuse_in_the_same_words(post, local_services, name, value):
    problem = post("/remove-bg", {name: str(value)}).json()
    request = pb.RemoveBackgroundRequest()
    holder = next(one for one in (request.mask, request.mask.segmentation, request.cutout) if hasattr(one, name))
    setattr(holder, name, value)
    with grpc.insecure_channel(local_services.address) as channel, pytest.raises(grpc.RpcError) as refused:
        next(pb_grpc.OrchestratorServiceStub(channel).RemoveBackground(request, timeout=20))
    error = from_rpc_error(refused.value, "orchestrator")
    assert (problem["status"], problem["code"], problem["field"]) == (422, "INVALID_OPTION", name)
    assert isinstance(error, InvalidOption)
    assert (error.message, error.field) == (problem["detail"], name)
