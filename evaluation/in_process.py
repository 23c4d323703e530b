"""The product's pipeline in this process: its stages are the services' own servicers, called without a wire.

So an answer is what the services would give, down to the bits that travel: 8 for masks, 16 for depth. Left out are the
depth stage (a set brings its depth maps along, and they go with the request) and the decoders' processes.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from functools import cache
from typing import TypeVar, cast

import grpc
import numpy as np
from PIL import Image

from evaluation.outputs import Outputs
from evaluation.raw_masks import SuppliedMasks, has_mask, open_segmenter
from evaluation.requests import TIMEOUT_S, Plan, make_outputs
from evaluation.sets import Item
from services.common.arrays import RGB
from services.common.backends.backend_catalogue import Resources
from services.common.models.model_store import ModelStore
from services.common.photos.decode_pool import DecodePool
from services.common.photos.decoding import decode_photo
from services.common.photos.limits import MAX_PIXELS
from services.common.serving.admission import Admission
from services.common.serving.model_holder import ModelHolder
from services.common.settings import StageSettings
from services.common.wire import alpha_from_proto, image_to_proto
from services.mesher.backends.base import Backend as MesherBackend
from services.mesher.backends.catalogue import BACKENDS as MESHERS
from services.mesher.server import MesherServicer
from services.orchestrator.pipeline import Pipeline
from services.orchestrator.request_options import parse_encoding, parse_request_options
from services.orchestrator.run import Run
from services.orchestrator.stages.depth_stage import NoDepthStage
from services.orchestrator.stages.mesher_stage import mesh_request
from services.orchestrator.stages.stage_protocols import Meshed, MeshJob, Segmented, Stages
from services.segmentation.backends.base import Backend
from services.segmentation.served_models import ServedModels
from services.segmentation.server import SegmentationServicer
from unflat.v1 import common_pb2, segmentation_pb2
from unflat.v1 import orchestrator_pb2 as pb

T = TypeVar("T")
STRONGEST_DISTURBANCE = 2  # grey levels, about what another JPEG quality changes


def make_in_process(item: Item, plan: Plan) -> Outputs:
    """Return the masks and meshes of one item; a variant that fails is noted and the others go on."""
    photo = item.photo.read_bytes()
    if plan.disturbance is not None:
        photo = disturb(photo, plan.disturbance)
    known = has_mask(item, plan.segmenter)
    backend = SuppliedMasks([(photo, item)], plan.segmenter) if known else open_segmenter(plan.segmenter)
    segmentation = SegmentationInProcess(backend)
    mesher = MesherInProcess(plan.mesher)
    return make_outputs(
        item,
        photo,
        plan,
        OrchestratorInProcess(Stages(segmentation, NoDepthStage(), mesher)),
        OrchestratorInProcess(Stages(WithoutRefinement(segmentation), NoDepthStage(), mesher)),
    )


def disturb(photo: bytes, seed: int) -> bytes:
    """Return the photo as a PNG with noise of a grey level or two, as another encoding would bring."""
    pixels = decode_photo(photo).pixels
    noise = np.random.default_rng(seed).integers(-STRONGEST_DISTURBANCE, STRONGEST_DISTURBANCE + 1, pixels.shape)
    noisy = np.clip(pixels.astype(np.int16) + noise, 0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(noisy).save(out, "PNG")
    return out.getvalue()


class OrchestratorInProcess:
    """Answers the orchestrator's requests; see `evaluation.requests.Orchestrator`."""

    def __init__(self, stages: Stages) -> None:
        self._pipeline = Pipeline(stages, _DecodeHere(), MAX_PIXELS)

    def remove_background(self, request: pb.RemoveBackgroundRequest) -> pb.CutoutResult:
        """Return the finished answer."""
        options = parse_request_options(request.mask, request.cutout)
        encode, mask_only = parse_encoding(request.cutout), request.cutout.mask_only
        return asyncio.run(
            self._pipeline.remove_background(
                request.photo, options, encode, _run(), mask_only=mask_only, debug=request.debug
            )
        )

    def generate_mesh(self, request: pb.GenerateMeshRequest) -> pb.MeshResult:
        """Return the finished answer."""
        options = parse_request_options(request.mask, pb.CutoutOptions())
        return asyncio.run(
            self._pipeline.generate_mesh(request.photo, options, request.mesh, _run(), debug=request.debug)
        )


class SegmentationInProcess:
    """Segmentation for the pipeline; the photo's answers are kept, since many variants ask for the same.

    Args:
        backend: loaded.
    """

    def __init__(self, backend: Backend) -> None:
        self._servicer = SegmentationServicer(ServedModels.only(backend), Admission("segmentation", 1, 1))
        self._answers: dict[bytes, Segmented] = {}

    async def segment(
        self, rgb: RGB, options: segmentation_pb2.SegmentationOptions, timeout_s: float, *, explain: bool
    ) -> Segmented:
        """See `services.orchestrator.stages.stage_protocols`."""
        del timeout_s, explain
        request = segmentation_pb2.SegmentRequest(image=image_to_proto(rgb), options=options, explain=True)
        key = request.SerializeToString(deterministic=True)
        if key not in self._answers:
            answer = self._servicer.Segment(request, _CALL)
            masks = alpha_from_proto(answer.mask), alpha_from_proto(answer.raw_mask)
            self._answers[key] = Segmented(*masks, _receipt("segmentation", answer.report))
        return self._answers[key]


class WithoutRefinement:
    """An ablation that the product does not have: the raw mask is handed on as if it were refined."""

    def __init__(self, segmentation: SegmentationInProcess) -> None:
        self._segmentation = segmentation

    async def segment(
        self, rgb: RGB, options: segmentation_pb2.SegmentationOptions, timeout_s: float, *, explain: bool
    ) -> Segmented:
        """See `services.orchestrator.stages.stage_protocols`."""
        found = await self._segmentation.segment(rgb, options, timeout_s, explain=explain)
        assert found.raw_alpha is not None
        return Segmented(found.raw_alpha, found.raw_alpha, found.receipt)


class MesherInProcess:
    """The mesher for the pipeline.

    Args:
        name: of the backend; it is loaded at the first mesh.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    async def mesh(self, job: MeshJob, timeout_s: float) -> AsyncIterator[Meshed]:
        """See `services.orchestrator.stages.stage_protocols`."""
        del timeout_s
        *_, last = _mesher(self._name).GenerateMesh(mesh_request(job), _CALL)
        found = last.result
        yield Meshed(found.mesh, found.format, found.quality, _receipt("mesher", found.report))


@cache
def _mesher(name: str) -> MesherServicer:
    """Return the servicer of a loaded backend; each is loaded once a process."""
    resources = Resources(ModelStore(StageSettings().models).find)

    def load() -> MesherBackend:
        backend = MESHERS.open(name, resources)
        backend.load()
        return backend

    holder: ModelHolder[MesherBackend] = ModelHolder("mesher", load)
    holder.start(lambda serving: None).join()
    return MesherServicer(holder, Admission("mesher", 1, 1))


class _DecodeHere(DecodePool):
    """Decodes in this process: the photos of a data set are trusted."""

    def __init__(self) -> None:
        """Start no processes."""

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        return function(*arguments)


class _Call:
    """What a servicer asks of its gRPC call, where there is none: it is never cancelled and has no deadline."""

    def is_active(self) -> bool:
        return True

    def time_remaining(self) -> None:
        return None

    def add_callback(self, callback: Callable[[], None]) -> bool:
        del callback
        return True

    def invocation_metadata(self) -> tuple[()]:
        return ()


_CALL = cast(grpc.ServicerContext, _Call())


def _run() -> Run:
    return Run("evaluation", TIMEOUT_S, lambda progress: None)


def _receipt(stage: str, report: common_pb2.StageReport) -> pb.StageReceipt:
    return pb.StageReceipt(stage=stage, outcome=pb.OUTCOME_OK, report=report)
