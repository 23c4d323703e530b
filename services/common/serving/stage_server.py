"""A compute stage as a process: its model, its status, its gate."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent import futures
from typing import TypeVar

import grpc
from grpc_health.v1 import health_pb2_grpc

from services.common.backends.backend_info import BackendInfo
from services.common.calling.channels import server_options
from services.common.serving.admission import Admission
from services.common.serving.interceptors import ErrorInterceptor
from services.common.serving.model_holder import ModelHolder
from services.common.serving.start_up import HealthBoard, prepare_process, serve
from services.common.settings import StageSettings
from services.common.version import VERSION
from unflat.v1 import status_pb2, status_pb2_grpc

# Ample workers: the admission gate bounds the work, and a waiting call must never keep a status call waiting.
_SPARE_WORKERS = 16
_STATUS_NAME = status_pb2.DESCRIPTOR.services_by_name["StatusService"].full_name

B = TypeVar("B", bound=BackendInfo)


class StageStatus(status_pb2_grpc.StatusServiceServicer):
    """Says of a stage what health cannot: why it does not serve, what it runs, how busy it is."""

    def __init__(self, stage: str, holder: ModelHolder[BackendInfo], admission: Admission) -> None:
        self._stage = stage
        self._holder = holder
        self._admission = admission

    def GetServiceStatus(  # noqa: N802 - the proto's name
        self, request: status_pb2.GetServiceStatusRequest, context: grpc.ServicerContext
    ) -> status_pb2.GetServiceStatusResponse:
        """Return the status as it is now."""
        backend = self._holder.backend
        return status_pb2.GetServiceStatusResponse(
            service=self._stage,
            version=VERSION,
            serving=backend is not None,
            reason=self._holder.reason,
            backend=backend.name if backend else "",
            device=backend.device if backend else "",
            in_flight=self._admission.running,
            queued=self._admission.waiting,
            loading=self._holder.loading,
        )


def run_stage(
    settings: StageSettings,
    stage: str,
    service: str,
    load: Callable[[], B],
    register: Callable[[ModelHolder[B], Admission, grpc.Server], None],
) -> None:
    """Run a compute stage until it is told to stop.

    Args:
        settings: addresses and limits.
        stage: short name, e.g. "depth".
        service: full gRPC name, e.g. "unflat.v1.DepthService".
        load: returns the warm backend; called while the port is already open.
        register: adds the service's own servicer, which takes the model from the holder, to the server.
    """
    identity = prepare_process(settings, stage)
    holder, admission = ModelHolder(stage, load), Admission(stage, settings.concurrency, settings.queue)
    board = HealthBoard(service, stage)
    workers = settings.concurrency + settings.queue + _SPARE_WORKERS
    server = grpc.server(
        futures.ThreadPoolExecutor(workers, thread_name_prefix=stage),
        interceptors=[ErrorInterceptor()],
        options=server_options(settings.max_connection_age_s),
    )
    register(holder, admission, server)
    status_pb2_grpc.add_StatusServiceServicer_to_server(StageStatus(stage, holder, admission), server)
    health_pb2_grpc.add_HealthServicer_to_server(board.servicer, server)

    async def begin() -> None:
        holder.start(board.set_serving)

    asyncio.run(serve(settings, server, board, identity, services=(service, _STATUS_NAME), begin=begin))
