"""Whoever stands in for a stage in tests answers and refuses the same requests as the real one.

The real ones are the orchestrator's clients over gRPC to the services' own servicers, with what is embedded: GrabCut,
a stub network for depth, inflate. What a stand-in would promise and the product refuse fails here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent import futures
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import numpy as np
import pytest

from bench.stub_network import write_stub_network
from services.common.backends.backend_catalogue import Resources
from services.common.errors import DeadlineExceeded, InvalidImage, InvalidOption, NoSubject, UnflatError
from services.common.serving.admission import Admission
from services.common.serving.interceptors import ErrorInterceptor
from services.common.wire import alpha_from_proto, alpha_to_proto, depth_from_proto, depth_to_proto
from services.depth.backends.catalogue import BACKENDS as DEPTHS
from services.depth.server import DepthServicer
from services.mesher.backends.catalogue import BACKENDS as MESHERS
from services.mesher.server import MesherServicer
from services.orchestrator.stages.depth_stage import DepthStage, NoDepthStage, why_invalid
from services.orchestrator.stages.mesher_stage import MesherStage
from services.orchestrator.stages.segmentation_stage import SegmentationStage
from services.orchestrator.stages.stage_channel import StageChannel
from services.orchestrator.stages.stage_protocols import DepthAnswer, Meshed, MeshJob, Segmented, Stages
from services.segmentation.backends.catalogue import BACKENDS as SEGMENTERS
from services.segmentation.backends.catalogue import NetworkResources
from services.segmentation.served_models import ServedModels
from services.segmentation.server import SegmentationServicer
from tests.orchestrator.stand_ins import DISC, NEAR, SIDE, Depth, Mesher, Segmentation, pixels
from unflat.v1 import depth_pb2, depth_pb2_grpc, mesher_pb2, mesher_pb2_grpc, segmentation_pb2, segmentation_pb2_grpc
from unflat.v1 import orchestrator_pb2 as pb

Ask = Callable[[Stages], Awaitable[Any]]
Side = Callable[[Ask], Awaitable[Any]]

PHOTO = pixels()
WIDE = np.hstack([PHOTO, PHOTO[:, :40]])
GREY, NOTHING = PHOTO[..., 0], PHOTO[:0]
BLANK = np.full_like(PHOTO, 90)
FRAME = np.dstack([PHOTO, DISC.astype(np.uint8) * 255])
HALF_DEPTH = NEAR[: SIDE // 2]


# ── the requests ────────────────────────────────────────────────────────────────────────────────────────────────────


def segment(rgb: Any = PHOTO, explain: bool = False, timeout_s: float = 60.0, **options: Any) -> Ask:
    asked = segmentation_pb2.SegmentationOptions(**options)
    return lambda stages: stages.segmentation.segment(rgb, asked, timeout_s, explain=explain)


def estimate(rgb: Any = PHOTO, timeout_s: float = 60.0, **options: Any) -> Ask:
    asked = depth_pb2.DepthOptions(**options)
    return lambda stages: stages.depth.estimate(rgb, timeout_s, asked)


def mesh(
    frame: Any = FRAME, depth: Any = None, focal_px: float = 134.0, timeout_s: float = 60.0, **options: Any
) -> Ask:
    asked = mesher_pb2.MeshOptions(**{"resolution": 32} | options)
    job = MeshJob(frame, depth, focal_px, SIDE / 2, SIDE / 2, asked)

    async def ask(stages: Stages) -> list[Any]:
        return [event async for event in stages.mesher.mesh(job, timeout_s)]

    return ask


MASKS = {
    "a photo": (segment(), PHOTO, False),
    "a wider photo": (segment(WIDE), WIDE, False),
    "what the mask was refined from": (segment(explain=True), PHOTO, True),
    "the model that runs": (segment(model="auto"), PHOTO, False),
    "a preset": (segment(preset="PRESET_QUALITY"), PHOTO, False),
}
DEPTH_MAPS = {
    "a photo": (estimate(), PHOTO),
    "a wider photo": (estimate(WIDE), WIDE),
    "a photo in high quality": (estimate(depth_quality="DEPTH_QUALITY_HIGH"), PHOTO),
}
MESHES = {
    "a frame": (mesh(), mesher_pb2.MESH_FORMAT_GLB),
    "a frame with depth": (mesh(depth=NEAR), mesher_pb2.MESH_FORMAT_GLB),
    "a frame as PLY": (mesh(format="MESH_FORMAT_PLY"), mesher_pb2.MESH_FORMAT_PLY),
}
REFUSED = {
    "a mask of a photo without colours": (segment(GREY), InvalidImage),
    "a mask of a photo without pixels": (segment(NOTHING), InvalidImage),
    "a mask by a model that does not exist": (segment(model="nobody"), InvalidOption),
    "a mask smoothed beyond the range": (segment(blur_size=4), InvalidOption),
    "a mask in no time": (segment(timeout_s=0.0), DeadlineExceeded),
    "a mesh of a frame without alpha": (mesh(PHOTO), InvalidImage),
    "a mesh of a frame that is no square": (mesh(FRAME[:40]), InvalidOption),
    "a mesh with depth of another size": (mesh(depth=HALF_DEPTH), InvalidOption),
    "a mesh through no lens": (mesh(focal_px=0.0), InvalidOption),
    "a mesh beyond the finest grid": (mesh(resolution=1 << 20), InvalidOption),
    "a mesh of nothing": (mesh(np.zeros_like(FRAME)), NoSubject),
    "a mesh in no time": (mesh(timeout_s=0.0), DeadlineExceeded),
}
LOST = {
    "depth of a photo without colours": (estimate(GREY), pb.OUTCOME_UNAVAILABLE),
    "depth in a quality that does not exist": (estimate(depth_quality=99), pb.OUTCOME_UNAVAILABLE),
    "depth in no time": (estimate(timeout_s=0.0), pb.OUTCOME_TIMEOUT),
}


# ── who is asked ────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def _serve(folder: Path, segmenter: str) -> Iterator[Side]:
    """Put the services' servicers behind one port of this process, and yield who asks the stages there."""
    write_stub_network(folder / "depth.onnx", NEAR, 98)
    mask = SEGMENTERS.open(segmenter, NetworkResources(threads=1))
    depth = DEPTHS.open(f"onnx:{folder / 'depth.onnx'}", Resources(threads=1))
    solid = MESHERS.open("inflate", Resources())
    for backend in (mask, depth, solid):
        backend.load()
    masks = SegmentationServicer(ServedModels.only(mask), Admission("segmentation", 1, 4))
    depths = DepthServicer(_holding(depth), Admission("depth", 1, 4))
    meshes = MesherServicer(_holding(solid), Admission("mesher", 1, 4))
    server = grpc.server(futures.ThreadPoolExecutor(4), interceptors=[ErrorInterceptor()])
    segmentation_pb2_grpc.add_SegmentationServiceServicer_to_server(masks, server)
    depth_pb2_grpc.add_DepthServiceServicer_to_server(depths, server)
    mesher_pb2_grpc.add_MesherServiceServicer_to_server(meshes, server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()

    async def side(ask: Ask) -> Any:
        channels = [StageChannel(stage, address) for stage in ("segmentation", "depth", "mesher")]
        try:
            return await ask(Stages(SegmentationStage(channels[0]), DepthStage(channels[1]), MesherStage(channels[2])))
        finally:
            for channel in channels:
                await channel.channel.close()

    try:
        yield side
    finally:
        server.stop(0).wait()


def _holding(backend: Any) -> Any:
    return SimpleNamespace(get=lambda: backend)


def _real(folder: Path, sees: np.ndarray) -> AbstractContextManager[Side]:
    del sees  # it looks for itself
    return _serve(folder, "grabcut")


def _stub_network(folder: Path, sees: np.ndarray) -> AbstractContextManager[Side]:
    write_stub_network(folder / "mask.onnx", sees, 320)
    return _serve(folder, f"rembg:custom={folder / 'mask.onnx'}")


def _stand_in(folder: Path, sees: np.ndarray) -> AbstractContextManager[Side]:
    del folder
    return nullcontext(lambda ask: ask(Stages(Segmentation(sees), Depth(), Mesher())))


SIDES: dict[str, Callable[[Path, np.ndarray], AbstractContextManager[Side]]] = {
    "real": _real,
    "a stub network": _stub_network,
    "of the pipeline's tests": _stand_in,
}


@pytest.fixture(scope="module", params=SIDES)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Ask], Any]]:
    """Ask one of the sides about a photo of a disc."""
    with SIDES[request.param](tmp_path_factory.mktemp("networks"), DISC.astype(np.float32)) as side:
        yield lambda ask: asyncio.run(side(ask))


# ── the contract ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", MASKS)
def test_a_mask_has_the_photos_size_and_came_over_the_wire(served: Callable[[Ask], Any], name: str) -> None:
    ask, photo, explained = MASKS[name]
    found: Segmented = served(ask)
    assert (found.raw_alpha is not None) == explained
    for alpha in (found.alpha, found.raw_alpha) if explained else (found.alpha,):
        assert (alpha.shape, alpha.dtype, alpha.flags.writeable) == (photo.shape[:2], np.float32, True)
        assert 0 <= alpha.min() < 0.5 < alpha.max() <= 1
        assert np.array_equal(alpha, alpha_from_proto(alpha_to_proto(alpha)))
    _check_receipt(found.receipt, "segmentation")


@pytest.mark.parametrize("name", DEPTH_MAPS)
def test_depth_has_the_photos_size_and_came_over_the_wire(served: Callable[[Ask], Any], name: str) -> None:
    ask, photo = DEPTH_MAPS[name]
    found: DepthAnswer = served(ask)
    assert found.depth is not None and not why_invalid(found.depth, photo)
    assert (found.depth.dtype, found.depth.flags.writeable) == (np.float32, True)
    np.testing.assert_array_equal(found.depth, depth_from_proto(depth_to_proto(found.depth)))
    _check_receipt(found.receipt, "depth")


@pytest.mark.parametrize("name", MESHES)
def test_a_mesh_comes_after_progress_with_all_that_is_said_of_it(served: Callable[[Ask], Any], name: str) -> None:
    ask, form = MESHES[name]
    *progress, found = served(ask)
    fractions = [event.fraction for event in progress]
    assert fractions and fractions == sorted(fractions) and 0 <= fractions[0] <= fractions[-1] <= 1
    assert isinstance(found, Meshed)
    assert found.data and found.format == form
    said = {field.name for field, _ in found.quality.ListFields()} | {"flat", "truly_flat"}
    assert said == set(mesher_pb2.MeshQuality.DESCRIPTOR.fields_by_name)
    assert found.quality.score <= 1 and found.quality.silhouette_iou <= 1
    _check_receipt(found.receipt, "mesher")


def _check_receipt(receipt: pb.StageReceipt, stage: str) -> None:
    """Look at what the pipeline reads of it."""
    assert (receipt.stage, receipt.outcome, receipt.reason, receipt.cached) == (stage, pb.OUTCOME_OK, "", False)
    assert receipt.report.backend and receipt.report.device
    assert receipt.total_s > 0


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_request_is_refused_as_the_same_kind_of_error(served: Callable[[Ask], Any], name: str) -> None:
    ask, kind = REFUSED[name]
    with pytest.raises(UnflatError) as refused:
        served(ask)
    assert type(refused.value) is kind


@pytest.mark.parametrize("name", LOST)
def test_depth_that_cannot_be_is_an_outcome_with_its_reason(served: Callable[[Ask], Any], name: str) -> None:
    ask, outcome = LOST[name]
    _check_lost(served(ask), outcome)


def test_no_depth_stage_is_an_outcome_with_its_reason() -> None:
    _check_lost(asyncio.run(NoDepthStage().estimate(PHOTO, 60.0)), pb.OUTCOME_DISABLED)


def _check_lost(found: DepthAnswer, outcome: pb.Outcome) -> None:
    assert found.depth is None
    assert (found.receipt.stage, found.receipt.outcome) == ("depth", outcome)
    assert found.receipt.reason


@pytest.mark.parametrize("ask", [segment(), estimate(), mesh()], ids=["segmentation", "depth", "mesher"])
def test_who_leaves_while_a_stage_works_is_let_go(served: Callable[[Ask], Any], ask: Ask) -> None:
    async def leave(stages: Stages) -> None:
        task = asyncio.ensure_future(ask(stages))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    served(leave)


@pytest.mark.parametrize("name", SIDES)
def test_a_photo_without_a_subject_has_no_mask(name: str, tmp_path: Path) -> None:
    with SIDES[name](tmp_path, np.zeros((SIDE, SIDE), np.float32)) as side, pytest.raises(NoSubject):
        asyncio.run(side(segment(BLANK)))
