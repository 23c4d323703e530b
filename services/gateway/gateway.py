"""What all routes share: the settings, the way to the orchestrator, the threads, the receipts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from services.common.client import CutoutMade, CutoutWishes, MaskWishes, MeshMade, MeshWishes, Progress
from services.gateway.receipts_store import ReceiptsStore
from services.gateway.settings import GatewaySettings
from services.gateway.status_board import StatusBoard
from services.gateway.work import WorkPool
from unflat.v1 import orchestrator_pb2 as pb

Fetch: TypeAlias = Callable[[str], bytes]
"""Returns the bytes behind a URL; raises errors of `services.common.errors`."""


class Orchestrator(Protocol):
    """What the gateway asks of `services.common.client.UnflatClient`; every call blocks."""

    def stream_cutout(
        self, photo: bytes, *, mask: MaskWishes, cutout: CutoutWishes, debug: bool = False, request_id: str = ""
    ) -> Iterator[Progress | CutoutMade]:
        """Yield progress, then the cutout."""

    def stream_mesh(
        self, photo: bytes, *, mask: MaskWishes, mesh: MeshWishes, debug: bool = False, request_id: str = ""
    ) -> Iterator[Progress | MeshMade]:
        """Yield progress, then the mesh."""

    def status(self, timeout_s: float = 5.0) -> pb.GetStatusResponse:
        """Return how every stage is."""


@dataclass
class Draining:
    """Whether the process is on its way out; /readyz says so before connections are refused."""

    on: bool = False


@dataclass(frozen=True)
class Gateway:
    """One gateway process."""

    settings: GatewaySettings
    client: Orchestrator
    fetch: Fetch
    pool: WorkPool
    board: StatusBoard
    receipts: ReceiptsStore
    draining: Draining = field(default_factory=Draining)
