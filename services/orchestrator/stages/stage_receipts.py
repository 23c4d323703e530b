"""What the receipt says of one stage."""

from __future__ import annotations

import time

from services.orchestrator.stages.stage_protocols import DEPTH, DepthAnswer
from unflat.v1 import common_pb2
from unflat.v1 import orchestrator_pb2 as pb


def stage_receipt(
    stage: str,
    outcome: pb.Outcome,
    reason: str = "",
    report: common_pb2.StageReport | None = None,
    begin: float | None = None,
) -> pb.StageReceipt:
    """Return what the receipt says of one stage.

    Args:
        stage: its short name.
        outcome: what became of it.
        reason: why that is not OK.
        report: the stage's own account.
        begin: `time.perf_counter` when it was asked.
    """
    total = 0.0 if begin is None else time.perf_counter() - begin
    transport = 0.0
    if report is not None and begin is not None:
        t = report.timings
        transport = max(0.0, total - t.queue_s - t.preprocess_s - t.compute_s - t.postprocess_s)
    return pb.StageReceipt(
        stage=stage, outcome=outcome, reason=reason, report=report, total_s=total, transport_s=transport
    )


def no_depth(outcome: pb.Outcome, reason: str, begin: float | None = None) -> DepthAnswer:
    """Return the answer that there is no depth, and why."""
    return DepthAnswer(None, stage_receipt(DEPTH, outcome, reason, begin=begin))
