"""What the gateway asks of the orchestrator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from services.common.client import CutoutResult, MeshResult, Progress
from services.common.options import CutoutOptions, MaskOptions, MeshOptions
from unflat.v1 import orchestrator_pb2 as pb


class Orchestrator(Protocol):
    """The part of `services.common.client.Client` that is used here; every call but `cancel` blocks."""

    def stream_cutout(
        self, photo: bytes, *, mask: MaskOptions, cutout: CutoutOptions, debug: bool = False, request_id: str = ""
    ) -> Iterator[Progress | CutoutResult]:
        """Yield progress, then the cutout."""

    def stream_mesh(
        self, photo: bytes, *, mask: MaskOptions, mesh: MeshOptions, debug: bool = False, request_id: str = ""
    ) -> Iterator[Progress | MeshResult]:
        """Yield progress, then the mesh."""

    def cancel(self, request_id: str) -> None:
        """Cancel a stream that another thread waits for; nothing happens where there is none."""

    def status(self, timeout_s: float = 5.0) -> pb.GetStatusResponse:
        """Return how every stage is."""
