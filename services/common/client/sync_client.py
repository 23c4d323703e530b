"""The client that blocks."""

from __future__ import annotations

from collections.abc import Iterator

from services.common.arrays import InverseDepth
from services.common.calling.channels import open_channel
from services.common.client.calls import (
    NO_RESULT,
    Connection,
    CutoutResult,
    MeshResult,
    Progress,
    R,
    StreamedCall,
    cutout_call,
    depth_request,
    mesh_call,
)
from services.common.errors import Internal
from services.common.options import CutoutOptions, DepthOptions, MaskOptions, MeshOptions
from services.common.tls import Identity
from services.common.wire import depth_from_proto
from unflat.v1 import orchestrator_pb2 as pb
from unflat.v1 import orchestrator_pb2_grpc as pb_grpc


class Client(Connection):
    """The client for threads, which may share it; its arguments are those of `Connection`."""

    def _open(self, identity: Identity | None) -> None:
        self._channel = open_channel(self.address, identity)
        self._stub: pb_grpc.OrchestratorServiceStub = pb_grpc.OrchestratorServiceStub(self._channel)

    def __enter__(self) -> Client:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection; running calls are cancelled."""
        self._channel.close()

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
        return _result_of(self.stream_cutout(photo, mask=mask, cutout=cutout, debug=debug, request_id=request_id))

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
        return _result_of(self.stream_mesh(photo, mask=mask, mesh=mesh, debug=debug, request_id=request_id))

    def stream_cutout(
        self, photo: bytes, *, mask: MaskOptions, cutout: CutoutOptions, debug: bool = False, request_id: str = ""
    ) -> Iterator[Progress | CutoutResult]:
        """Yield progress, then the cutout; closing the iterator cancels the request."""
        return self._stream(cutout_call(photo, mask, cutout, debug), request_id)

    def stream_mesh(
        self, photo: bytes, *, mask: MaskOptions, mesh: MeshOptions, debug: bool = False, request_id: str = ""
    ) -> Iterator[Progress | MeshResult]:
        """Yield progress, then the mesh; closing the iterator cancels the request."""
        return self._stream(mesh_call(photo, mask, mesh, debug), request_id)

    def estimate_depth(
        self, photo: bytes, *, depth: DepthOptions = DepthOptions(), request_id: str = ""
    ) -> tuple[InverseDepth, pb.StageReceipt]:
        """Return the inverse depth of an encoded photo at working size, and what ran.

        Raises:
            UnflatError: what went wrong, with one sentence.
        """
        with self._our_errors():
            answer = self._stub.GetDepth(depth_request(photo, depth), **self._call_options(request_id))
        return depth_from_proto(answer.depth), answer.stage

    def status(self, timeout_s: float = 5.0) -> pb.GetStatusResponse:
        """Return how every stage is.

        Raises:
            StageUnavailable: the orchestrator does not answer.
        """
        with self._our_errors():
            return self._stub.GetStatus(pb.GetStatusRequest(), timeout=timeout_s)

    def _stream(self, asked: StreamedCall[R], request_id: str) -> Iterator[Progress | R]:
        call = getattr(self._stub, asked.method)(asked.request, **self._call_options(request_id))
        try:
            with self._our_errors():
                for message in call:
                    yield asked.event(message)
        finally:
            call.cancel()
            del call, asked  # a failed call, its error and this frame would keep the photo alive in a cycle


def _result_of(events: Iterator[Progress | R]) -> R:
    for event in events:
        if not isinstance(event, Progress):
            return event
    raise Internal(NO_RESULT)
