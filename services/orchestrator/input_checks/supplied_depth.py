"""A depth map that replaces the depth stage."""

from __future__ import annotations

from services.common.arrays import RGB, InverseDepth
from services.common.imaging.working_size import resize
from services.orchestrator.stages.depth_stage import why_invalid
from services.orchestrator.stages.stage_protocols import DEPTH, DepthAnswer
from services.orchestrator.stages.stage_receipts import no_depth, stage_receipt
from unflat.v1 import orchestrator_pb2 as pb


def check_supplied_depth(depth: InverseDepth, working: RGB) -> DepthAnswer:
    """Return the caller's depth at the size of the working image, or the outcome INVALID."""
    resized = resize(depth, working.shape)
    if reason := why_invalid(resized, working):
        return no_depth(pb.OUTCOME_INVALID, reason)
    return DepthAnswer(resized, stage_receipt(DEPTH, pb.OUTCOME_SUPPLIED, "supplied with the request"))
