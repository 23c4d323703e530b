"""Whoever stands in for the orchestrator in tests answers and refuses the same requests as the real one.

The real one is the product's servicer over gRPC, with the product's own stages in this process. What a stand-in would
promise and the product refuse fails here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc.aio
import numpy as np
import pytest

from evaluation.in_process import MesherInProcess, SegmentationInProcess
from evaluation.raw_masks import open_segmenter
from services.common.client import AsyncClient, CutoutResult, MeshResult
from services.common.errors import InvalidImage, InvalidOption, NoSubject, UnflatError
from services.common.options import CutoutOptions, MaskOptions, MeshOptions
from services.common.photos.limits import MAX_PIXELS
from services.common.serving.admission import AioAdmission
from services.common.serving.interceptors import AioErrorInterceptor
from services.orchestrator.pipeline import Pipeline
from services.orchestrator.server import OrchestratorServicer
from services.orchestrator.stages.depth_stage import NoDepthStage
from services.orchestrator.stages.stage_protocols import Stages
from tests.cli.conftest import FakeClient, TurntableClient
from tests.gateway.conftest import FakeOrchestrator
from tests.gateway.page.conftest import DirectedOrchestrator
from tests.orchestrator.stand_ins import DISC, NEAR, PHOTO, Decoder, archive, encoded
from unflat.v1 import orchestrator_pb2_grpc as pb_grpc

Ask = Callable[[Any], Awaitable[Any]]
MASK = encoded(DISC.astype(np.uint8) * 255)


@dataclass(frozen=True)
class Request:
    """One request for a cutout; with `mesh` for a mesh."""

    photo: bytes = PHOTO
    mask: MaskOptions = field(default_factory=MaskOptions)
    cutout: CutoutOptions = field(default_factory=CutoutOptions)
    mesh: MeshOptions | None = None

    async def ask(self, orchestrator: Any) -> list[Any]:
        """Return all events of the answer."""
        if self.mesh:
            stream = orchestrator.stream_mesh(self.photo, mask=self.mask, mesh=self.mesh, debug=False)
        else:
            stream = orchestrator.stream_cutout(self.photo, mask=self.mask, cutout=self.cutout, debug=False)
        return [event async for event in stream] if hasattr(stream, "__aiter__") else list(stream)


ANSWERED = {
    "a photo": Request(),
    "a preset and a strategy": Request(mask=MaskOptions(preset="fast", strategy="union")),
    "the widest erosion": Request(cutout=CutoutOptions(matting=True, erode_size=255)),
    "a mask of one's own": Request(mask=MaskOptions(mask=MASK)),
    "a depth of one's own": Request(mask=MaskOptions(depth_map=archive(NEAR))),
    "segmentation's own model": Request(mask=MaskOptions(model="grabcut")),
    "a mesh": Request(mesh=MeshOptions(resolution=32)),
    "a mesh as PLY": Request(mesh=MeshOptions(resolution=32, format="ply")),
}
REFUSED = {
    "no bytes": (Request(b""), InvalidImage),
    "no picture": (Request(b"not a picture"), InvalidImage),
    "half a picture": (Request(PHOTO[:200]), InvalidImage),
    "a picture of 6 pixels by 4": (Request(encoded(np.zeros((4, 6, 3), np.uint8))), InvalidImage),
    "a mask that is no picture": (Request(mask=MaskOptions(mask=b"no mask")), InvalidImage),
    "a mask without a subject": (Request(mask=MaskOptions(mask=encoded(np.zeros_like(DISC, np.uint8)))), NoSubject),
    "a depth that is no picture": (Request(mask=MaskOptions(depth_map=b"no depth")), InvalidImage),
    "a model that does not exist": (Request(mask=MaskOptions(model="nobody")), InvalidOption),
    "a mesh of no picture": (Request(b"not a picture", mesh=MeshOptions()), InvalidImage),
}


async def _real(ask: Ask) -> Any:
    stages = Stages(SegmentationInProcess(open_segmenter("grabcut")), NoDepthStage(), MesherInProcess("inflate"))
    servicer = OrchestratorServicer(Pipeline(stages, Decoder(), MAX_PIXELS), [], AioAdmission("orchestrator", 4, 4), 60)
    server = grpc.aio.server(interceptors=[AioErrorInterceptor()])
    pb_grpc.add_OrchestratorServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with AsyncClient(f"127.0.0.1:{port}") as client:
            return await ask(client)
    finally:
        await server.stop(0)


async def _stand_in(orchestrator: Any, ask: Ask) -> Any:
    return await ask(orchestrator)


def _directed() -> DirectedOrchestrator:
    orchestrator = DirectedOrchestrator()
    orchestrator.hold.set()
    return orchestrator


SIDES: dict[str, Callable[[Ask], Awaitable[Any]]] = {
    "real": _real,
    "of the gateway's tests": lambda ask: _stand_in(FakeOrchestrator(), ask),
    "of the page's tests": lambda ask: _stand_in(_directed(), ask),
    "of the command line's tests": lambda ask: _stand_in(FakeClient(), ask),
    "of the photo sets' tests": lambda ask: _stand_in(TurntableClient(masks={PHOTO: DISC}), ask),
}


@pytest.fixture(params=SIDES)
def served(request: pytest.FixtureRequest) -> Callable[[Ask], Any]:
    """Answer a question to one of the orchestrators."""
    return lambda ask: asyncio.run(SIDES[request.param](ask))


@pytest.mark.parametrize("name", ANSWERED)
def test_progress_grows_to_one_result_of_the_kind_that_was_asked_for(served: Callable[[Ask], Any], name: str) -> None:
    asked = ANSWERED[name]
    *progress, result = served(asked.ask)
    fractions = [event.fraction for event in progress]
    assert fractions and fractions == sorted(fractions) and 0 <= fractions[0] <= fractions[-1] <= 1
    assert isinstance(result, MeshResult if asked.mesh else CutoutResult)
    assert result.data
    if asked.mesh:
        assert result.format == asked.mesh.format and result.cutout
    assert "depth" in [stage.stage for stage in result.receipt.stages]


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_request_is_refused_as_the_same_kind_of_error(served: Callable[[Ask], Any], name: str) -> None:
    asked, kind = REFUSED[name]
    with pytest.raises(UnflatError) as refused:
        served(asked.ask)
    assert type(refused.value) is kind
