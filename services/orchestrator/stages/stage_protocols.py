"""What the pipeline asks of the stages, whoever answers: gRPC clients in service, plain objects in tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol

from services.common.arrays import RGB, RGBA, Alpha, InverseDepth
from unflat.v1 import depth_pb2, mesher_pb2, segmentation_pb2
from unflat.v1 import orchestrator_pb2 as pb

SEGMENTATION, DEPTH, MESHER = "segmentation", "depth", "mesher"
STANDARD = depth_pb2.DepthOptions(
    depth_quality=depth_pb2.DEPTH_QUALITY_STANDARD
)  # what everybody gets who asks no more


@dataclass(frozen=True)
class Segmented:
    """What segmentation says: masks (H, W) float32 in [0, 1]; the raw one only where it was asked to explain."""

    alpha: Alpha
    raw_alpha: Alpha | None
    receipt: pb.StageReceipt


@dataclass(frozen=True)
class DepthAnswer:
    """The depth map, or None; the receipt's outcome and reason say what became of it."""

    depth: InverseDepth | None
    receipt: pb.StageReceipt


@dataclass(frozen=True)
class MeshJob:
    """What the mesher is asked for."""

    frame: RGBA
    depth: InverseDepth | None
    focal_px: float
    cx: float
    cy: float
    options: mesher_pb2.MeshOptions = field(default_factory=mesher_pb2.MeshOptions)


@dataclass(frozen=True)
class Meshed:
    """A mesh file and how good it looks."""

    data: bytes
    format: mesher_pb2.MeshFormat
    quality: mesher_pb2.MeshQuality
    receipt: pb.StageReceipt


class Segmenter(Protocol):
    """What the pipeline asks of segmentation."""

    async def segment(
        self, rgb: RGB, options: segmentation_pb2.SegmentationOptions, timeout_s: float, *, explain: bool
    ) -> Segmented:
        """Return the masks of a working image.

        Raises:
            UnflatError: what the stage refuses, Overloaded, StageUnavailable, DeadlineExceeded or Internal.
        """


class DepthEstimator(Protocol):
    """What the pipeline asks of depth: an improvement, never a condition."""

    async def estimate(self, rgb: RGB, timeout_s: float, options: depth_pb2.DepthOptions = STANDARD) -> DepthAnswer:
        """Return the depth of a working image, or the outcome that says why there is none; no error is raised."""

    def record_timeout(self) -> None:
        """Hear that an answer was too slow to be waited for."""


class Mesher(Protocol):
    """What the pipeline asks of the mesher."""

    def mesh(self, job: MeshJob, timeout_s: float) -> AsyncIterator[mesher_pb2.StageProgress | Meshed]:
        """Yield progress, then the mesh.

        Raises:
            UnflatError: what the stage refuses, Overloaded, StageUnavailable, DeadlineExceeded or Internal.
        """


@dataclass(frozen=True)
class Stages:
    """The three stages."""

    segmentation: Segmenter
    depth: DepthEstimator
    mesher: Mesher
