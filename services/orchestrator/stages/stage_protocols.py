"""What the pipeline asks of the stages, whoever answers: gRPC clients in service, plain objects in tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from services.common.arrays import RGB
from services.orchestrator.stages.grpc_stages import STANDARD, DepthAnswer, MeshJob, Segmented
from unflat.v1 import depth_pb2, segmentation_pb2


class Segmenter(Protocol):
    """What the pipeline asks of segmentation."""

    async def segment(
        self, rgb: RGB, options: segmentation_pb2.RefineOptions, timeout_s: float, *, explain: bool, model: str = ""
    ) -> Segmented:
        """Return the masks of a working image; an empty model is the one that segmentation was started for."""


class DepthEstimator(Protocol):
    """What the pipeline asks of depth."""

    async def estimate(self, rgb: RGB, timeout_s: float, quality: depth_pb2.DepthQuality = STANDARD) -> DepthAnswer:
        """Return the depth of a working image, or why there is none; never raises."""

    def record_timeout(self) -> None:
        """Hear that an answer was too slow to be waited for."""


class Mesher(Protocol):
    """What the pipeline asks of the mesher."""

    def mesh(self, job: MeshJob, timeout_s: float) -> Any:
        """Return an async iterator of progress and one mesh."""


@dataclass(frozen=True)
class Stages:
    """The three stages."""

    segmentation: Segmenter
    depth: DepthEstimator
    mesher: Mesher
