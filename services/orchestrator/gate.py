"""The gate: whether a mesh is good enough to hand over, what to try when it is not, and what to say of the result."""

from __future__ import annotations

from dataclasses import replace

from services.orchestrator.stages import DEPTH, MeshJob
from unflat.v1 import mesher_pb2
from unflat.v1 import orchestrator_pb2 as pb


def is_good(quality: mesher_pb2.MeshQuality) -> bool:
    """Tell whether a mesh may be handed over: closed, outward, and flat only where the subject is."""
    return quality.watertight and quality.outward and (not quality.flat or quality.truly_flat)


def next_best(job: MeshJob) -> MeshJob | None:
    """Return what to try when the first mesh is flat or broken: the shape without depth's relief."""
    uses_depth = job.options.use_depth or not job.options.HasField("use_depth")
    return replace(job, depth=None) if job.depth is not None and uses_depth else None


def state_verdict(quality: mesher_pb2.MeshQuality, receipt: pb.Receipt, second_taken: bool) -> str:
    """Return in words how the mesh is, why, and what was tried."""
    parts = [quality.verdict.rstrip(".")]
    had_depth = any(s.stage == DEPTH and s.outcome in (pb.OUTCOME_OK, pb.OUTCOME_SUPPLIED) for s in receipt.stages)
    if quality.flat and not quality.truly_flat and not had_depth:
        parts.append("there was no depth to tell how deep it is")
    if receipt.HasField("other_attempt"):
        scores = f"{quality.score:.2f} against {receipt.other_attempt.score:.2f}"
        taken = "without depth's relief" if second_taken else "with depth's relief"
        parts.append(f"of two attempts, with and without depth's relief, the one {taken} was taken ({scores})")
    return "; ".join(part for part in parts if part) + "."
