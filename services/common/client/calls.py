"""What both clients share: how calls are asked, how their answers are read, and how they fail."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

import grpc
from google.protobuf.message import Message

from services.common.calling.channels import DEFAULT_TIMEOUT_S
from services.common.errors import Internal
from services.common.options import CutoutOptions, DepthOptions, MaskOptions, MeshOptions
from services.common.options.proto import enum_word, to_proto
from services.common.rpc_errors import from_rpc_error
from services.common.serving.priority import PRIORITY_KEY, Priority
from services.common.telemetry import tracing
from services.common.telemetry.logs import REQUEST_ID_KEY, new_request_id
from services.common.tls import Identity
from unflat.v1 import depth_pb2, mesher_pb2
from unflat.v1 import orchestrator_pb2 as pb

Progress: TypeAlias = pb.Progress


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


NO_RESULT = "the orchestrator ended without a result"
R = TypeVar("R", bound=CutoutResult | MeshResult)


@dataclass(frozen=True)
class StreamedCall(Generic[R]):
    """A call that answers with progress and one result: the stub's method, its request, and how the result is read."""

    method: str
    request: Message
    read: Callable[[Any], R]

    def event(self, message: Any) -> Progress | R:
        """Return what a message says."""
        if message is None:  # so gRPC's aio calls say that they cannot read it
            raise Internal("the orchestrator answered bytes that are not the message of this version")
        return message.progress if message.HasField("progress") else self.read(message.result)


class Connection(ABC):
    """A connection to one orchestrator.

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
        self._open(identity)

    @abstractmethod
    def _open(self, identity: Identity | None) -> None:
        """Open the channel to `address`."""

    def _call_options(self, request_id: str) -> dict[str, Any]:
        """Return deadline and metadata of a call."""
        own = ((REQUEST_ID_KEY, request_id or new_request_id()), (PRIORITY_KEY, self._priority))
        return {"timeout": self._timeout_s, "metadata": (*own, *tracing.headers())}

    @contextmanager
    def _our_errors(self) -> Iterator[None]:
        """Turn what a call raises in the body into errors of ours."""
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


def cutout_call(photo: bytes, mask: MaskOptions, cutout: CutoutOptions, debug: bool) -> StreamedCall[CutoutResult]:
    def read(result: pb.CutoutResult) -> CutoutResult:
        return CutoutResult(result.image, result.media_type, result.receipt, _pictures(result), result.mask)

    request = pb.RemoveBackgroundRequest(
        photo=_photo(photo, mask),
        mask=to_proto(mask, pb.MaskOptions),
        cutout=to_proto(cutout, pb.CutoutOptions),
        debug=debug,
    )
    return StreamedCall("RemoveBackground", request, read)


def mesh_call(photo: bytes, mask: MaskOptions, mesh: MeshOptions, debug: bool) -> StreamedCall[MeshResult]:
    def read(result: pb.MeshResult) -> MeshResult:
        form = enum_word(mesher_pb2.MeshFormat.DESCRIPTOR, result.format)
        return MeshResult(result.mesh, form, result.cutout, result.receipt, _pictures(result))

    request = pb.GenerateMeshRequest(
        photo=_photo(photo, mask),
        mask=to_proto(mask, pb.MaskOptions),
        mesh=to_proto(mesh, mesher_pb2.MeshOptions),
        debug=debug,
    )
    return StreamedCall("GenerateMesh", request, read)


def _pictures(result: pb.CutoutResult | pb.MeshResult) -> dict[str, bytes]:
    return {picture.name: picture.png for picture in result.debug}


def depth_request(photo: bytes, options: DepthOptions) -> pb.GetDepthRequest:
    return pb.GetDepthRequest(file=photo, options=to_proto(options, depth_pb2.DepthOptions))


def _photo(photo: bytes, mask: MaskOptions) -> pb.Photo:
    return pb.Photo(file=photo, mask=mask.mask, depth=mask.depth_map)
