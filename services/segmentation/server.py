"""The segmentation service: the raw mask of a backend, then the refinement chain.

Only translates: message → arrays → algorithms → message.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace

import grpc
import numpy as np

from services.common.arrays import RGB, Alpha
from services.common.backends.backend_info import BackendInfo
from services.common.errors import NoSubject
from services.common.load_settings import load_settings
from services.common.models.model_store import ModelStore
from services.common.options import fill
from services.common.options.mask import SegmentationOptions
from services.common.options.proto import from_proto
from services.common.serving.admission import Admission
from services.common.serving.model_holder import ModelHolder
from services.common.serving.stage_call import StageCall, stage_call
from services.common.serving.stage_server import run_stage
from services.common.telemetry.logs import get_logger
from services.common.wire import alpha_to_proto, image_from_proto
from services.segmentation.backends.base import Backend
from services.segmentation.backends.catalogue import BACKENDS, NetworkResources
from services.segmentation.backends.model_pool import ModelPool
from services.segmentation.refine.augmentation import AugmentedMask, augment
from services.segmentation.refine.chain import RefineOptions, refine
from services.segmentation.served_models import STAGE, PoolMetrics, ServedModels
from services.segmentation.settings import SegmentationSettings
from unflat.v1 import segmentation_pb2 as pb
from unflat.v1 import segmentation_pb2_grpc as pb_grpc

SERVICE = pb.DESCRIPTOR.services_by_name["SegmentationService"].full_name

# A network that is nowhere surer than this saw nothing: measured, an empty landscape peaks at 0.36, subjects at 0.9 up.
_LEAST_SCORE = 0.4
_LEAST_AREA = 1e-4  # share of the picture over one half below which there is nothing to cut

_COLOURS_ALONE = ("grabcut",)  # backends that know nothing but the photo's colours: the chain would only repeat them
_AUGMENTATION_COST = 4.0  # times the first run's time that must be left: two more runs, the chain, and some air


class SegmentationServicer(pb_grpc.SegmentationServiceServicer):
    """Answers Segment."""

    def __init__(self, models: ServedModels, admission: Admission) -> None:
        self._models = models
        self._admission = admission

    def Segment(self, request: pb.SegmentRequest, context: grpc.ServicerContext) -> pb.SegmentResponse:  # noqa: N802
        """Return the refined and the raw mask of one working image."""
        with stage_call(STAGE, context) as call:
            call.served_by(self._models.own())
            with call.admitted(self._admission), ExitStack() as held:
                with call.phase("queue"):  # a model that is not here yet is waited for
                    backend = held.enter_context(self._models.use(request.options.model, call.check))
                call.served_by(backend)
                return self._segment(request, call, backend)

    def _segment(self, request: pb.SegmentRequest, call: StageCall, backend: Backend) -> pb.SegmentResponse:
        with call.phase("preprocess"):
            rgb = image_from_proto(request.image, 3)
            options = replace(refine_options(request.options), from_colours=backend.name in _COLOURS_ALONE)
        began = time.perf_counter()
        with call.phase("compute"):
            raw = backend.segment(rgb)
        took_s = time.perf_counter() - began
        if raw.score < _LEAST_SCORE or float(np.mean(raw.alpha > 0.5)) < _LEAST_AREA:
            raise NoSubject(
                f"nothing in the photo stands out as a subject ({backend.name} is at most {raw.score:.0%} sure)"
            )
        augmented = AugmentedMask(raw.alpha, ())
        if options.augment and not options.from_colours:
            with call.phase("compute"):
                augmented = _augment(call, backend, rgb, raw.alpha, took_s)
        with call.phase("postprocess"):
            refined = refine(rgb, augmented.alpha, options)
            answer = pb.SegmentResponse(mask=alpha_to_proto(refined.alpha))
            if request.explain:
                answer.raw_mask.CopyFrom(alpha_to_proto(raw.alpha))
        answer.report.CopyFrom(call.report((*augmented.notes, *refined.notes)))
        return answer


def _augment(call: StageCall, backend: Backend, rgb: RGB, first: Alpha, took_s: float) -> AugmentedMask:
    """Return what the backend says of more views; the first mask where the caller has no time for that."""
    if call.remaining_s() < _AUGMENTATION_COST * took_s:
        return AugmentedMask(first, ("no time for test-time augmentation",))

    def segment(view: RGB) -> Alpha:
        call.check()
        try:
            return backend.segment(view).alpha
        except NoSubject:
            return np.zeros(view.shape[:2], dtype=np.float32)

    return augment(rgb, first, segment)


def refine_options(message: pb.SegmentationOptions) -> RefineOptions:
    """Return the chain's options: the preset's, with what the request sets.

    Raises:
        InvalidOption: a value that is unknown or out of its range.
    """
    asked = from_proto(SegmentationOptions, message)
    return fill(RefineOptions.for_preset(asked.preset), asked)


def main() -> None:
    """Run the service until it is told to stop."""
    settings = load_settings(SegmentationSettings, STAGE)
    store = ModelStore(settings.models)

    resources = NetworkResources(
        store.find,
        settings.threads,
        provider=settings.provider,
        require_gpu=settings.require_gpu,
        precision=settings.precision,
    )
    pool = ModelPool(
        lambda name: BACKENDS.open(name, resources, get_logger().info),
        settings.model_budget_mb << 20,
        settings.backend,
        PoolMetrics(),
    )

    def load() -> BackendInfo:
        with pool.use(settings.backend) as backend:
            return backend

    def register(holder: ModelHolder[BackendInfo], admission: Admission, server: grpc.Server) -> None:
        servicer = SegmentationServicer(ServedModels(holder.get, pool, settings.backend), admission)
        pb_grpc.add_SegmentationServiceServicer_to_server(servicer, server)

    run_stage(settings, STAGE, SERVICE, load, register)


if __name__ == "__main__":
    main()
