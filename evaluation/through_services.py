"""The same through the real services: each item goes over gRPC as a user's photo would.

Supplied network masks enter where a network's would: the segmentation service runs here, in this process, with a
backend that knows the supplied mask of each photo, so that refinement, fusion and matting happen as always. (A mask
sent along with a request is the caller's own, and is not changed by design.) Depth maps go along with the request.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import TracebackType
from typing import Any

import grpc

from evaluation.outputs import Outputs
from evaluation.raw_masks import SuppliedMasks, has_mask, open_segmenter
from evaluation.requests import TIMEOUT_S, Plan, make_outputs
from evaluation.sets import Item
from services.cli.local_services import LocalServices, LocalServicesOptions
from services.common.calling.channels import open_channel, server_options
from services.common.client import Client
from services.common.errors import StageUnavailable
from services.common.rpc_errors import from_rpc_error
from services.common.serving.admission import Admission
from services.common.serving.interceptors import ErrorInterceptor
from services.common.serving.model_holder import ModelHolder
from services.common.serving.stage_server import StageStatus
from services.segmentation.backends.base import Backend
from services.segmentation.served_models import STAGE, ServedModels
from services.segmentation.server import SegmentationServicer
from unflat.v1 import orchestrator_pb2 as pb
from unflat.v1 import orchestrator_pb2_grpc, segmentation_pb2_grpc, status_pb2_grpc

_CONNECTION_AGE_S = 3600.0
_LOAD_S = 120.0
_LOOK_S = 0.05  # between looks whether the orchestrator has reached it


class Services:
    """The services on this machine, for the time of a `with`.

    Args:
        items: whose supplied masks the segmentation service will know.
        plan: names the segmenter of the others.
    """

    def __init__(self, items: Sequence[Item], plan: Plan) -> None:
        photos = ((item.photo.read_bytes(), item) for item in items)
        known = any(has_mask(item, plan.segmenter) for item in items)
        self._backend = SuppliedMasks(photos, plan.segmenter) if known else open_segmenter(plan.segmenter)
        self._stack = ExitStack()
        self._orchestrator: _OrchestratorOverGrpc | None = None

    def __enter__(self) -> Services:
        """Start orchestrator, depth and mesher, and the segmentation service in this process.

        Raises:
            StageUnavailable: one of them does not come up.
        """
        with ExitStack() as stack:
            local = stack.enter_context(LocalServices(LocalServicesOptions(without=(STAGE,))))
            client = stack.enter_context(Client(local.address))
            address = next(stage.address for stage in client.status().stages if stage.stage == STAGE)
            stack.callback(self._serve(address).stop, 1.0)
            _wait_until_reached(client)
            self._orchestrator = _OrchestratorOverGrpc(
                stack.enter_context(open_channel(local.address, None)), local.address
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything."""
        self._stack.close()

    def make(self, item: Item, plan: Plan) -> Outputs:
        """Return what the services make of one item; variants that no request can ask for are noted and left out."""
        assert self._orchestrator is not None
        return make_outputs(item, item.photo.read_bytes(), plan, self._orchestrator, unrefined=None)

    def _serve(self, address: str) -> grpc.Server:
        holder: ModelHolder[Backend] = ModelHolder(STAGE, lambda: self._backend)
        holder.start(lambda serving: None).join(_LOAD_S)
        server = grpc.server(
            ThreadPoolExecutor(4), interceptors=[ErrorInterceptor()], options=server_options(_CONNECTION_AGE_S)
        )
        admission = Admission(STAGE, concurrency=2, queue=8)
        servicer = SegmentationServicer(ServedModels.only(self._backend), admission)
        status_pb2_grpc.add_StatusServiceServicer_to_server(StageStatus(STAGE, holder, admission), server)
        segmentation_pb2_grpc.add_SegmentationServiceServicer_to_server(servicer, server)
        if server.add_insecure_port(address) == 0:
            raise StageUnavailable(f"{address} is taken; the segmentation service cannot listen there")
        server.start()
        return server


class _OrchestratorOverGrpc:
    """Asks the orchestrator; see `evaluation.requests.Orchestrator`."""

    def __init__(self, channel: grpc.Channel, address: str) -> None:
        self._stub = orchestrator_pb2_grpc.OrchestratorServiceStub(channel)
        self._address = address

    def remove_background(self, request: pb.RemoveBackgroundRequest) -> pb.CutoutResult:
        result: pb.CutoutResult = self._result(self._stub.RemoveBackground, request)
        return result

    def generate_mesh(self, request: pb.GenerateMeshRequest) -> pb.MeshResult:
        result: pb.MeshResult = self._result(self._stub.GenerateMesh, request)
        return result

    def _result(self, call: Any, request: Any) -> Any:
        try:
            *_, last = call(request, timeout=TIMEOUT_S)
        except grpc.RpcError as problem:
            raise from_rpc_error(problem, self._address) from None
        return last.result


def _wait_until_reached(client: Client) -> None:
    """Wait until the orchestrator reaches the segmentation service: it looked once too early and is in its back-off.

    Raises:
        StageUnavailable: it does not within `_LOAD_S`.
    """
    deadline = time.monotonic() + _LOAD_S
    while True:
        status = next(stage for stage in client.status().stages if stage.stage == STAGE)
        if status.serving == pb.SERVING_SERVING:
            return
        if time.monotonic() > deadline:
            raise StageUnavailable(f"the orchestrator does not reach the segmentation service: {status.reason}")
        time.sleep(_LOOK_S)
