"""The typed clients of the orchestrator, which the CLI and the gateway use themselves.

    with Client("127.0.0.1:50050") as client:
        mesh = client.generate_mesh(Path("mug.jpg").read_bytes(), mask=MaskOptions(preset="quality"))
        Path("mug.glb").write_bytes(mesh.data)

    async with AsyncClient("127.0.0.1:50050") as client:
        mesh = await client.generate_mesh(photo)

Every call raises the errors of `services.common.errors`. The `stream_…` calls yield progress before the result; closing
their iterator, or cancelling the task that waits for it, cancels the request on all stages.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message

from services.common.arrays import InverseDepth
from services.common.calling.channels import DEFAULT_TIMEOUT_S, open_aio_channel, open_channel
from services.common.calling.renewing_channels import Renewal
from services.common.choices import DepthQuality
from services.common.errors import Internal
from services.common.options import CutoutOptions, MaskOptions, MeshOptions
from services.common.options.mask import DepthOptions
from services.common.options.proto import enum_word, to_proto
from services.common.rpc_errors import from_rpc_error
from services.common.serving.priority import PRIORITY_KEY, Priority
from services.common.telemetry import tracing
from services.common.telemetry.logs import REQUEST_ID_KEY, new_request_id
from services.common.tls import Identity
from services.common.wire import depth_from_proto
from unflat.v1 import depth_pb2, mesher_pb2
from unflat.v1 import orchestrator_pb2 as pb
from unflat.v1 import orchestrator_pb2_grpc as pb_grpc

Progress: TypeAlias = pb.Progress

_NO_RESULT = "the orchestrator ended without a result"


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


R = TypeVar("R", bound=CutoutResult | MeshResult)


@dataclass(frozen=True)
class _StreamedCall(Generic[R]):
    """A call that answers with progress and one result: the stub's method, its request, and how the result is read."""

    method: str
    request: Message
    read: Callable[[Any], R]

    def event(self, message: Any) -> Progress | R:
        """Return what a message says."""
        if message is None:  # so gRPC's aio calls say that they cannot read it
            raise Internal("the orchestrator answered bytes that are not the message of this version")
        return message.progress if message.HasField("progress") else self.read(message.result)


class _Connection:
    """What both clients do alike: deadline and metadata of a call, and its errors."""

    def __init__(self, address: str, timeout_s: float, priority: Priority) -> None:
        self.address = address
        self._timeout_s = timeout_s
        self._priority = priority

    def _call_options(self, request_id: str) -> dict[str, Any]:
        own = ((REQUEST_ID_KEY, request_id or new_request_id()), (PRIORITY_KEY, self._priority))
        return {"timeout": self._timeout_s, "metadata": (*own, *tracing.headers())}

    @contextmanager
    def _our_errors(self) -> Iterator[None]:
        try:
            yield
        except grpc.RpcError as problem:
            raise from_rpc_error(problem, self.address) from None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # gRPC's aio calls raise it also where the other side has cancelled the call.
            raise Internal(f"{self.address} failed (CANCELLED)") from None


class Client(_Connection):
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
        super().__init__(address, timeout_s, priority)
        self._channel = open_channel(address, identity)
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
        return self._stream(_cutout_call(photo, mask, cutout, debug), request_id)

    def stream_mesh(
        self, photo: bytes, *, mask: MaskOptions, mesh: MeshOptions, debug: bool = False, request_id: str = ""
    ) -> Iterator[Progress | MeshResult]:
        """Yield progress, then the mesh; closing the iterator cancels the request."""
        return self._stream(_mesh_call(photo, mask, mesh, debug), request_id)

    def estimate_depth(
        self, photo: bytes, request_id: str = "", quality: DepthQuality = "standard"
    ) -> tuple[InverseDepth, pb.StageReceipt]:
        """Return the inverse depth of an encoded photo at working size, and what ran.

        Raises:
            UnflatError: what went wrong, with one sentence.
        """
        with self._our_errors():
            answer = self._stub.GetDepth(_depth_request(photo, quality), **self._call_options(request_id))
        return depth_from_proto(answer.depth), answer.stage

    def status(self, timeout_s: float = 5.0) -> pb.GetStatusResponse:
        """Return how every stage is.

        Raises:
            StageUnavailable: the orchestrator does not answer.
        """
        with self._our_errors():
            return self._stub.GetStatus(pb.GetStatusRequest(), timeout=timeout_s)

    def _stream(self, asked: _StreamedCall[R], request_id: str) -> Iterator[Progress | R]:
        call = getattr(self._stub, asked.method)(asked.request, **self._call_options(request_id))
        try:
            with self._our_errors():
                for message in call:
                    yield asked.event(message)
        finally:
            call.cancel()
            del call, asked  # a failed call, its error and this frame would keep the photo alive in a cycle


class AsyncClient(_Connection):
    """The same connection for coroutines: open it where an event loop runs, and cancel a task to cancel its call.

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
        super().__init__(address, timeout_s, priority)
        self._channel = open_aio_channel(address, Renewal(identity))
        self._stub = pb_grpc.OrchestratorServiceStub(self._channel)

    async def __aenter__(self) -> AsyncClient:
        """Return itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connection."""
        await self.close()

    async def close(self) -> None:
        """Close the connection; running calls are cancelled."""
        await self._channel.close()

    async def remove_background(
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
        return await result_of(self.stream_cutout(photo, mask=mask, cutout=cutout, debug=debug, request_id=request_id))

    async def generate_mesh(
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
        return await result_of(self.stream_mesh(photo, mask=mask, mesh=mesh, debug=debug, request_id=request_id))

    def stream_cutout(
        self, photo: bytes, *, mask: MaskOptions, cutout: CutoutOptions, debug: bool = False, request_id: str = ""
    ) -> AsyncGenerator[Progress | CutoutResult, None]:
        """Yield progress, then the cutout; closing the iterator cancels the request."""
        return self._stream(_cutout_call(photo, mask, cutout, debug), request_id)

    def stream_mesh(
        self, photo: bytes, *, mask: MaskOptions, mesh: MeshOptions, debug: bool = False, request_id: str = ""
    ) -> AsyncGenerator[Progress | MeshResult, None]:
        """Yield progress, then the mesh; closing the iterator cancels the request."""
        return self._stream(_mesh_call(photo, mask, mesh, debug), request_id)

    async def estimate_depth(
        self, photo: bytes, request_id: str = "", quality: DepthQuality = "standard"
    ) -> tuple[InverseDepth, pb.StageReceipt]:
        """Return the inverse depth of an encoded photo at working size, and what ran.

        Raises:
            UnflatError: what went wrong, with one sentence.
        """
        with self._our_errors():
            answer = await self._stub.GetDepth(_depth_request(photo, quality), **self._call_options(request_id))
        return depth_from_proto(answer.depth), answer.stage

    async def status(self, timeout_s: float = 5.0) -> pb.GetStatusResponse:
        """Return how every stage is.

        Raises:
            StageUnavailable: the orchestrator does not answer.
        """
        with self._our_errors():
            return await self._stub.GetStatus(pb.GetStatusRequest(), timeout=timeout_s)

    async def _stream(self, asked: _StreamedCall[R], request_id: str) -> AsyncGenerator[Progress | R, None]:
        call = getattr(self._stub, asked.method)(asked.request, **self._call_options(request_id))
        try:
            with self._our_errors():
                # Not `async for`: its generator and the call would keep each other, photo and result with them.
                while (message := await call.read()) is not grpc.aio.EOF:
                    yield asked.event(message)
        finally:
            call.cancel()
            del call, asked  # a failed call, its error and this frame would keep the photo alive in a cycle


async def result_of(
    events: AsyncGenerator[Progress | R, None], on_progress: Callable[[Progress], object] = lambda _: None
) -> R:
    """Return the result at the end of a stream of `AsyncClient`; what comes before goes to `on_progress`.

    Raises:
        UnflatError: what the stream raises, or that it ended without a result.
    """
    async with aclosing(events):
        async for event in events:
            if not isinstance(event, Progress):
                return event
            on_progress(event)
    raise Internal(_NO_RESULT)


def _result_of(events: Iterator[Progress | R]) -> R:
    for event in events:
        if not isinstance(event, Progress):
            return event
    raise Internal(_NO_RESULT)


def _cutout_call(photo: bytes, mask: MaskOptions, cutout: CutoutOptions, debug: bool) -> _StreamedCall[CutoutResult]:
    def read(result: pb.CutoutResult) -> CutoutResult:
        return CutoutResult(result.image, result.media_type, result.receipt, _pictures(result), result.mask)

    request = pb.RemoveBackgroundRequest(
        photo=_photo(photo, mask),
        mask=to_proto(mask, pb.MaskOptions),
        cutout=to_proto(cutout, pb.CutoutOptions),
        debug=debug,
    )
    return _StreamedCall("RemoveBackground", request, read)


def _mesh_call(photo: bytes, mask: MaskOptions, mesh: MeshOptions, debug: bool) -> _StreamedCall[MeshResult]:
    def read(result: pb.MeshResult) -> MeshResult:
        form = enum_word(mesher_pb2.MeshFormat.DESCRIPTOR, result.format)
        return MeshResult(result.mesh, form, result.cutout, result.receipt, _pictures(result))

    request = pb.GenerateMeshRequest(
        photo=_photo(photo, mask),
        mask=to_proto(mask, pb.MaskOptions),
        mesh=to_proto(mesh, mesher_pb2.MeshOptions),
        debug=debug,
    )
    return _StreamedCall("GenerateMesh", request, read)


def _pictures(result: pb.CutoutResult | pb.MeshResult) -> dict[str, bytes]:
    return {picture.name: picture.png for picture in result.debug}


def _depth_request(photo: bytes, quality: DepthQuality) -> pb.GetDepthRequest:
    asked = to_proto(DepthOptions(depth_quality=quality), depth_pb2.DepthOptions)
    return pb.GetDepthRequest(file=photo, options=asked)


def _photo(photo: bytes, mask: MaskOptions) -> pb.Photo:
    return pb.Photo(file=photo, mask=mask.mask, depth=mask.depth_map)
