"""The depth service as the pipeline sees it: whatever goes wrong with it is an outcome, never an error."""

from __future__ import annotations

import time

import numpy as np

from services.common.arrays import RGB, InverseDepth
from services.common.errors import DeadlineExceeded, InvalidImage, Overloaded, UnflatError
from services.common.wire import depth_from_proto, image_to_proto
from services.orchestrator.stages.stage_channel import UNREADABLE, StageChannel
from services.orchestrator.stages.stage_protocols import DEPTH, STANDARD, DepthAnswer
from services.orchestrator.stages.stage_receipts import no_depth
from unflat.v1 import depth_pb2, depth_pb2_grpc
from unflat.v1 import orchestrator_pb2 as pb


class DepthStage:
    """Calls the depth service."""

    def __init__(self, channel: StageChannel) -> None:
        self.channel = channel
        self._stub = depth_pb2_grpc.DepthServiceStub(channel.channel)

    async def estimate(self, rgb: RGB, timeout_s: float, options: depth_pb2.DepthOptions = STANDARD) -> DepthAnswer:
        """Return the depth of a working image, or why there is none."""
        begin = time.perf_counter()
        request = depth_pb2.EstimateDepthRequest(image=image_to_proto(rgb), options=options)
        try:
            async with self.channel.call(timeout_s, wait=False) as left_s:
                answer = await self._stub.EstimateDepth(request, timeout=left_s, metadata=self.channel.metadata())
        except UnflatError as problem:
            return lost_depth(problem, begin)
        if answer is None:
            return no_depth(pb.OUTCOME_INVALID, f"{DEPTH} {UNREADABLE}", begin)
        try:
            depth = depth_from_proto(answer.depth)
        except InvalidImage as problem:
            return no_depth(pb.OUTCOME_INVALID, problem.message, begin)
        if reason := why_invalid(depth, rgb):
            return no_depth(pb.OUTCOME_INVALID, reason, begin)
        return DepthAnswer(depth, self.channel.answered(answer.report, begin))

    def record_timeout(self) -> None:
        """Count an answer that was too slow to be waited for: a stage that hangs is left alone, too."""
        self.channel.record_failure("it was too slow to be waited for")


class NoDepthStage:
    """Stands where no depth service is configured."""

    async def estimate(self, rgb: RGB, timeout_s: float, options: depth_pb2.DepthOptions = STANDARD) -> DepthAnswer:
        """Answer DISABLED at once."""
        del rgb, timeout_s, options
        return no_depth(pb.OUTCOME_DISABLED, "no depth service is configured (--depth-address)")

    def record_timeout(self) -> None:
        """Do nothing: it answers at once."""


def lost_depth(problem: UnflatError, begin: float) -> DepthAnswer:
    """Return the outcome that stands for an error."""
    if isinstance(problem, DeadlineExceeded):
        return no_depth(pb.OUTCOME_TIMEOUT, problem.message, begin)
    busy = "depth is overloaded: " if isinstance(problem, Overloaded) else ""
    return no_depth(pb.OUTCOME_UNAVAILABLE, busy + problem.message, begin)


def why_invalid(depth: InverseDepth, rgb: RGB) -> str:
    """Return why `depth` cannot be the depth of `rgb`, or an empty string."""
    if depth.shape != rgb.shape[:2]:
        return f"depth is {depth.shape[1]} × {depth.shape[0]} px, the photo {rgb.shape[1]} × {rgb.shape[0]}"
    if not np.isfinite(depth).all():
        return f"{np.mean(~np.isfinite(depth)):.0%} of the depth values are not finite"
    if depth.min() == depth.max():
        return "every depth value is the same"
    return ""
