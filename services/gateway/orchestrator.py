"""What the gateway asks of the orchestrator."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from services.common.client import CutoutResult, MeshResult, Progress
from services.common.options import CutoutOptions, MaskOptions, MeshOptions
from unflat.v1 import orchestrator_pb2 as pb


class Orchestrator(Protocol):
    """The part of `services.common.client.AsyncClient` that is used here; a task that is cancelled cancels its call."""

    def stream_cutout(
        self, photo: bytes, *, mask: MaskOptions, cutout: CutoutOptions, debug: bool = False, request_id: str = ""
    ) -> AsyncGenerator[Progress | CutoutResult, None]:
        """Yield progress, then the cutout."""

    def stream_mesh(
        self, photo: bytes, *, mask: MaskOptions, mesh: MeshOptions, debug: bool = False, request_id: str = ""
    ) -> AsyncGenerator[Progress | MeshResult, None]:
        """Yield progress, then the mesh."""

    async def status(self, timeout_s: float = 5.0) -> pb.GetStatusResponse:
        """Return how every stage is."""
