"""The segmentation service as the pipeline sees it."""

from __future__ import annotations

import time

from services.common.arrays import RGB, Alpha
from services.common.errors import Internal, InvalidImage
from services.common.wire import alpha_from_proto, image_to_proto
from services.orchestrator.stages.stage_channel import UNREADABLE, StageChannel
from services.orchestrator.stages.stage_protocols import SEGMENTATION, Segmented
from unflat.v1 import common_pb2, segmentation_pb2, segmentation_pb2_grpc


class SegmentationStage:
    """Calls the segmentation service."""

    def __init__(self, channel: StageChannel) -> None:
        self.channel = channel
        self._stub = segmentation_pb2_grpc.SegmentationServiceStub(channel.channel)

    async def segment(
        self, rgb: RGB, options: segmentation_pb2.SegmentationOptions, timeout_s: float, *, explain: bool
    ) -> Segmented:
        """Return the mask of a working image, with `explain` also what it was refined from.

        Raises:
            UnflatError: what the stage refuses, Overloaded, StageUnavailable, DeadlineExceeded or Internal.
        """
        begin = time.perf_counter()
        request = segmentation_pb2.SegmentRequest(image=image_to_proto(rgb), options=options, explain=explain)
        async with self.channel.call(timeout_s) as left_s:
            answer = await self._stub.Segment(request, timeout=left_s, metadata=self.channel.metadata())
        if answer is None:
            raise Internal(f"{SEGMENTATION} {UNREADABLE}")
        alpha = _read_mask(answer.mask, rgb.shape[:2])
        raw_alpha = _read_mask(answer.raw_mask, rgb.shape[:2]) if answer.HasField("raw_mask") else None
        return Segmented(alpha, raw_alpha, self.channel.answered(answer.report, begin))


def _read_mask(message: common_pb2.Image, shape: tuple[int, ...]) -> Alpha:
    """Return a mask of segmentation; what makes no sense is the stage's fault, never the caller's."""
    try:
        mask = alpha_from_proto(message)
    except InvalidImage as problem:
        raise Internal(f"{SEGMENTATION} answered an unreadable mask: {problem.message}") from None
    if mask.shape != shape:
        raise Internal(f"{SEGMENTATION} answered {mask.shape[1]} × {mask.shape[0]} px for {shape[1]} × {shape[0]}")
    return mask
