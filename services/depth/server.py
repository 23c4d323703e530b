"""The depth service: relative inverse depth of a photo.

Only translates: message → array → backend → message.
"""

from __future__ import annotations

import grpc

from services.common.arrays import RGB, InverseDepth
from services.common.backends.backend_catalogue import Resources
from services.common.backends.batching import BatchOptions
from services.common.backends.gpu_memory import find_gpus
from services.common.load_settings import load_settings
from services.common.models.model_store import ModelStore
from services.common.options import DepthOptions
from services.common.options.proto import from_proto
from services.common.serving.admission import Admission
from services.common.serving.model_holder import ModelHolder
from services.common.serving.stage_call import StageCall, stage_call
from services.common.serving.stage_server import run_stage
from services.common.telemetry import metrics
from services.common.telemetry.logs import get_logger
from services.common.wire import depth_to_proto, image_from_proto
from services.depth.backends.base import Backend
from services.depth.backends.catalogue import BACKENDS
from services.depth.settings import DepthSettings
from services.depth.tiled import TiledOptions, count_estimates, estimate_tiled
from unflat.v1 import depth_pb2 as pb
from unflat.v1 import depth_pb2_grpc as pb_grpc

STAGE = "depth"
_HIGH_NOTE = f"high quality: one map from {count_estimates(TiledOptions())} estimates, whole, mirrored and tiles"
SERVICE = pb.DESCRIPTOR.services_by_name["DepthService"].full_name


class DepthServicer(pb_grpc.DepthServiceServicer):
    """Answers EstimateDepth."""

    def __init__(self, holder: ModelHolder[Backend], admission: Admission) -> None:
        self._holder = holder
        self._admission = admission

    def EstimateDepth(  # noqa: N802 - the proto's name
        self, request: pb.EstimateDepthRequest, context: grpc.ServicerContext
    ) -> pb.EstimateDepthResponse:
        """Return the depth of one working image."""
        with stage_call(STAGE, context) as call:
            backend = self._holder.get()
            call.served_by(backend)
            with call.admitted(self._admission):
                with call.phase("preprocess"):
                    rgb = image_from_proto(request.image, 3)
                    high = from_proto(DepthOptions, request.options).depth_quality == "high"
                with call.phase("compute"):
                    depth = _estimate(backend, rgb, call, high=high)
                with call.phase("postprocess"):
                    answer = pb.EstimateDepthResponse(depth=depth_to_proto(depth))
            notes = backend.size_notes(rgb.shape[1], rgb.shape[0])
            answer.report.CopyFrom(call.report((_HIGH_NOTE, *notes) if high else notes))
            return answer


def _estimate(backend: Backend, rgb: RGB, call: StageCall, *, high: bool) -> InverseDepth:
    """Estimate once, or tiled; where nobody waits any more, stop between two estimates."""
    if high:
        return estimate_tiled(rgb, lambda part: backend.estimate(part, call.check), go_on=call.check)
    return backend.estimate(rgb, call.check)


def share_runs(settings: DepthSettings, gpus: int) -> tuple[DepthSettings, BatchOptions | None]:
    """Return the settings with as many calls side by side as a batch takes, and how they share a run.

    Args:
        settings: as they were read.
        gpus: of this machine.
    """
    options = BatchOptions(settings.batch, settings.batch_max_wait_s, metrics.BATCH_SIZE.labels(STAGE).observe)
    most = options.on("cuda" if gpus else "cpu").most
    if most == 1:
        return settings, None
    return settings.model_copy(update={"concurrency": max(settings.concurrency, most)}), options


def main() -> None:
    """Run the service until it is told to stop."""
    settings, batching = share_runs(load_settings(DepthSettings, STAGE), len(find_gpus()))
    resources = Resources(ModelStore(settings.models).find, settings.threads, batching)

    def load() -> Backend:
        backend = BACKENDS.open(settings.backend, resources, get_logger().info)
        backend.load()
        return backend

    def register(holder: ModelHolder[Backend], admission: Admission, server: grpc.Server) -> None:
        pb_grpc.add_DepthServiceServicer_to_server(DepthServicer(holder, admission), server)

    run_stage(settings, STAGE, SERVICE, load, register)


if __name__ == "__main__":
    main()
