"""The typed client of the orchestrator, which the CLI and the gateway use themselves.

    with UnflatClient("127.0.0.1:50050") as client:
        made = client.generate_mesh(Path("mug.jpg").read_bytes(), mask=MaskOptions(preset="quality"))
        Path("mug.glb").write_bytes(made.data)

Every call raises the errors of `services.common.errors`. The `stream_…` calls yield progress before the result; closing
their iterator cancels the request on all stages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import TypeAlias, TypeVar

import grpc

from services.common.arrays import InverseDepth
from services.common.calling.channels import open_channel
from services.common.errors import Internal
from services.common.options import CutoutOptions, DepthQuality, MaskOptions, MeshOptions
from services.common.options.proto import cutout_to_proto, enum_value, mask_to_proto, mesh_to_proto
from services.common.receipts import format_name
from services.common.rpc_errors import from_rpc_error
from services.common.serving.priority import PRIORITY_KEY, Priority
from services.common.telemetry import tracing
from services.common.telemetry.logs import REQUEST_ID_KEY, new_request_id
from services.common.tls import Identity
from services.common.wire import depth_from_proto
from unflat.v1 import depth_pb2
from unflat.v1 import orchestrator_pb2 as pb
from unflat.v1 import orchestrator_pb2_grpc as pb_grpc

Progress: TypeAlias = pb.Progress

DEFAULT_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class CutoutResult:
    """A finished cutout (or mask); `mask` is a grey PNG where it was asked for beside the cutout."""

    data: bytes
    media_type: str
    receipt: pb.Receipt
    debug: dict[str, bytes]
    mask: bytes = b""


@dataclass(frozen=True)
class MeshResult:
    """A finished mesh, and the cutout it was made of as a PNG."""

    data: bytes
    format: str
    cutout: bytes
    receipt: pb.Receipt
    debug: dict[str, bytes]


_Made = TypeVar("_Made", CutoutResult, MeshResult)


class UnflatClient:
    """A connection to one orchestrator; safe to share between threads.

    Args:
        address: host:port, or dns:///name:port for several replicas.
        timeout_s: deadline of each request.
        identity: of the caller, where the orchestrator wants TLS.
        priority: interactive requests have their turn before batch ones, on every queue of the way.
    """

    def __init__(
        self,
        address: str,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        identity: Identity | None = None,
        priority: Priority = "interactive",
    ) -> None:
        self.address = address
        self._timeout_s = timeout_s
        self._priority = priority
        self._running: dict[str, grpc.Call] = {}
        self._channel = open_channel(address, identity)
        self._stub: pb_grpc.OrchestratorServiceStub = pb_grpc.OrchestratorServiceStub(self._channel)

    def __enter__(self) -> UnflatClient:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection; running calls are cancelled."""
        self._channel.close()

    def cancel(self, request_id: str) -> None:
        """Cancel a running stream from another thread: at once, where closing it waits for its next event."""
        call = self._running.get(request_id)
        if call is not None:
            call.cancel()

    def remove_background(
        self,
        photo: bytes,
        *,
        mask: MaskOptions = MaskOptions(),
        cutout: CutoutOptions = CutoutOptions(),
        debug: bool = False,
        request_id: str = "",
    ) -> CutoutResult:
        """Return the cutout of an encoded photo.

        Raises:
            UnflatError: what went wrong, with one sentence.
        """
        return _last(
            self.stream_cutout(photo, mask=mask, cutout=cutout, debug=debug, request_id=request_id), CutoutResult
        )

    def generate_mesh(
        self,
        photo: bytes,
        *,
        mask: MaskOptions = MaskOptions(),
        mesh: MeshOptions = MeshOptions(),
        debug: bool = False,
        request_id: str = "",
    ) -> MeshResult:
        """Return the mesh of an encoded photo.

        Raises:
            UnflatError: what went wrong, with one sentence.
        """
        return _last(self.stream_mesh(photo, mask=mask, mesh=mesh, debug=debug, request_id=request_id), MeshResult)

    def stream_cutout(
        self, photo: bytes, *, mask: MaskOptions, cutout: CutoutOptions, debug: bool = False, request_id: str = ""
    ) -> Iterator[Progress | CutoutResult]:
        """Yield progress, then the cutout; closing the iterator cancels the request."""
        request = pb.RemoveBackgroundRequest(
            photo=_photo(photo, mask), mask=mask_to_proto(mask), cutout=cutout_to_proto(cutout), debug=debug
        )
        call = self._stub.RemoveBackground(request, timeout=self._timeout_s, metadata=self._metadata(request_id))
        self._running[request_id] = call
        try:
            for event in call:
                if event.HasField("progress"):
                    yield event.progress
                else:
                    made = event.result
                    debug_pictures = {d.name: d.png for d in made.debug}
                    yield CutoutResult(made.image, made.media_type, made.receipt, debug_pictures, made.mask)
        except grpc.RpcError as problem:
            raise from_rpc_error(problem, self.address) from None
        finally:
            self._running.pop(request_id, None)
            call.cancel()
            del call, request  # a failed call, its error and this frame would keep the photo alive in a cycle

    def stream_mesh(
        self, photo: bytes, *, mask: MaskOptions, mesh: MeshOptions, debug: bool = False, request_id: str = ""
    ) -> Iterator[Progress | MeshResult]:
        """Yield progress, then the mesh; closing the iterator cancels the request."""
        request = pb.GenerateMeshRequest(
            photo=_photo(photo, mask), mask=mask_to_proto(mask), mesh=mesh_to_proto(mesh), debug=debug
        )
        call = self._stub.GenerateMesh(request, timeout=self._timeout_s, metadata=self._metadata(request_id))
        self._running[request_id] = call
        try:
            for event in call:
                if event.HasField("progress"):
                    yield event.progress
                else:
                    made = event.result
                    debug_pictures = {d.name: d.png for d in made.debug}
                    yield MeshResult(made.mesh, format_name(made.format), made.cutout, made.receipt, debug_pictures)
        except grpc.RpcError as problem:
            raise from_rpc_error(problem, self.address) from None
        finally:
            self._running.pop(request_id, None)
            call.cancel()
            del call, request  # a failed call, its error and this frame would keep the photo alive in a cycle

    def estimate_depth(
        self, photo: bytes, request_id: str = "", quality: DepthQuality | None = None
    ) -> tuple[InverseDepth, pb.StageReceipt]:
        """Return the inverse depth of an encoded photo at working size, and what ran.

        Raises:
            UnflatError: what went wrong, with one sentence.
        """
        try:
            asked = enum_value(depth_pb2.DepthQuality, "DEPTH_QUALITY", quality, "depth_quality")
            answer = self._stub.GetDepth(
                pb.GetDepthRequest(file=photo, quality=asked),
                timeout=self._timeout_s,
                metadata=self._metadata(request_id),
            )
        except grpc.RpcError as problem:
            raise from_rpc_error(problem, self.address) from None
        return depth_from_proto(answer.depth), answer.stage

    def status(self, timeout_s: float = 5.0) -> pb.GetStatusResponse:
        """Return how every stage is.

        Raises:
            StageUnavailable: the orchestrator does not answer.
        """
        try:
            return self._stub.GetStatus(pb.GetStatusRequest(), timeout=timeout_s)
        except grpc.RpcError as problem:
            raise from_rpc_error(problem, self.address) from None

    def _metadata(self, request_id: str) -> tuple[tuple[str, str], ...]:
        own = ((REQUEST_ID_KEY, request_id or new_request_id()), (PRIORITY_KEY, self._priority))
        return (*own, *tracing.headers())


def _last(events: Iterator[Progress | _Made], kind: type[_Made]) -> _Made:
    for event in events:
        if isinstance(event, kind):
            return event
    raise Internal("the orchestrator ended without a result")


def _photo(photo: bytes, mask: MaskOptions) -> pb.Photo:
    return pb.Photo(file=photo, mask=mask.mask, depth=mask.depth_map)
