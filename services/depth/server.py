"""The depth service: relative inverse depth of a photo.

Only translates: message → array → backend → message.
"""

from __future__ import annotations

import grpc

from services.common.arrays import RGB, InverseDepth
from services.common.backends.gpu_memory import find_gpus
from services.common.models.model_store import ModelStore
from services.common.serving.admission import Admission
from services.common.serving.model_holder import ModelHolder
from services.common.serving.stage_call import StageCall, stage_call
from services.common.serving.stage_server import run_stage
from services.common.settings import load_settings
from services.common.telemetry import metrics
from services.common.wire import depth_to_proto, image_from_proto
from services.depth.backends.base import GPU_BATCH, Backend, Batching
from services.depth.backends.catalogue import open_backend
from services.depth.settings import DepthSettings
from services.depth.tiled import TiledOptions, count_estimates, estimate_tiled
from unflat.v1 import depth_pb2 as pb
from unflat.v1 import depth_pb2_grpc as pb_grpc

STAGE = "depth"
_HIGH_NOTE = f"high quality: one map from {count_estimates(TiledOptions())} looks at the photo"
SERVICE = pb.DESCRIPTOR.services_by_name["DepthService"].full_name


class DepthServicer(pb_grpc.DepthServiceServicer):
    """Answers EstimateDepth."""

    def __init__(self, slot: ModelHolder[Backend], admission: Admission) -> None:
        self._slot = slot
        self._admission = admission

    def EstimateDepth(  # noqa: N802 - the proto's name
        self, request: pb.EstimateDepthRequest, context: grpc.ServicerContext
    ) -> pb.EstimateDepthResponse:
        """Return the depth of one working image."""
        with stage_call(STAGE, context) as call:
            backend = self._slot.get()
            call.served_by(backend)
            with call.admitted(self._admission):
                with call.phase("preprocess"):
                    rgb = image_from_proto(request.image, 3)
                with call.phase("compute"):
                    depth = _estimate(backend, rgb, request.quality, call)
                with call.phase("postprocess"):
                    answer = pb.EstimateDepthResponse(depth=depth_to_proto(depth))
            note = backend.note(rgb.shape[1], rgb.shape[0])
            looks = _HIGH_NOTE if request.quality == pb.DEPTH_QUALITY_HIGH else ""
            answer.report.CopyFrom(call.report([said for said in (looks, note) if said]))
            return answer


def _estimate(backend: Backend, rgb: RGB, quality: pb.DepthQuality, call: StageCall) -> InverseDepth:
    """Look once, or several times; nobody waits any more: stop between the looks."""
    if quality == pb.DEPTH_QUALITY_HIGH:
        return estimate_tiled(rgb, lambda part: backend.estimate(part, call.check), go_on=call.check)
    return backend.estimate(rgb, call.check)


def share_runs(settings: DepthSettings, gpus: int) -> tuple[DepthSettings, Batching | None]:
    """Return the settings with as many calls side by side as a batch takes, and how they share a run.

    Args:
        settings: as they were read.
        gpus: of this machine.
    """
    most = settings.batch or (GPU_BATCH if gpus else 1)
    if most == 1:
        return settings, None
    observe = metrics.BATCH_SIZE.labels(STAGE).observe
    wide = settings.model_copy(update={"concurrency": max(settings.concurrency, most)})
    return wide, Batching(settings.batch, settings.batch_patience_s, observe)


def main() -> None:
    """Run the service until it is told to stop."""
    settings, batching = share_runs(load_settings(DepthSettings, STAGE), len(find_gpus()))
    store = ModelStore(settings.models)

    def load() -> Backend:
        backend = open_backend(settings.backend, store.find, settings.threads, batching)
        backend.load()
        return backend

    def register(slot: ModelHolder[Backend], admission: Admission, server: grpc.Server) -> None:
        pb_grpc.add_DepthServiceServicer_to_server(DepthServicer(slot, admission), server)

    run_stage(settings, STAGE, SERVICE, load, register)


if __name__ == "__main__":
    main()
