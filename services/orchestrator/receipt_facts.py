"""What the receipt says of photo, mask and mesh, and what is counted of a mesh."""

from __future__ import annotations

from collections.abc import Sequence

from services.common.choices import Strategy
from services.common.photos.decoding import Photo
from services.common.telemetry import metrics
from services.orchestrator.fusion import Fused
from services.orchestrator.gate.mesh_gate import Attempt, JudgedAttempt
from services.orchestrator.input_checks.supplied_mask import SuppliedMask
from services.orchestrator.run import Run
from services.orchestrator.stages.stage_protocols import DEPTH
from unflat.v1 import mesher_pb2
from unflat.v1 import orchestrator_pb2 as pb


def describe_photo(photo: Photo, run: Run) -> None:
    """Put the decoded photo on the receipt."""
    height, width = photo.pixels.shape[:2]
    run.receipt.photo.MergeFrom(
        pb.PhotoFacts(
            width=width,
            height=height,
            format=photo.format,
            bit_depth=photo.bit_depth,
            working_width=photo.working.shape[1],
            working_height=photo.working.shape[0],
            exif_orientation=photo.orientation,
            has_icc=bool(photo.metadata.icc),
            frames=photo.frames,
        )
    )
    for warning in photo.warnings:
        run.warn(warning)
    if photo.frames > 1:
        run.warn(f"the file holds {photo.frames} pictures; the first was taken")


def describe_mask(fused: Fused, strategy: Strategy, supplied: SuppliedMask | None, run: Run) -> None:
    """Put the fused mask on the receipt."""
    run.receipt.photo.own_alpha = supplied is not None and supplied.source == pb.MASK_SOURCE_OWN_ALPHA
    run.receipt.mask.MergeFrom(
        pb.MaskFacts(
            strategy=f"STRATEGY_{strategy.upper()}",
            used_depth=fused.used_depth,
            agreement=fused.agreement,
            confidence=fused.confidence,
            note=fused.note,
            source=pb.MASK_SOURCE_SEGMENTATION if supplied is None else supplied.source,
        )
    )


def describe_attempts(judged: Sequence[JudgedAttempt], best: JudgedAttempt, run: Run) -> None:
    """Put all attempts at a mesh on the receipt."""
    for one in judged:
        run.receipt.attempts.add(
            made_of=str(one.attempt.candidate),
            quality=one.attempt.quality,
            boundary_contrast=one.boundary_contrast,
            score=one.score,
            returned=one is best,
        )


def describe_mesh(best: Attempt, run: Run) -> None:
    """Put the mesh that is handed out on the receipt, and count it."""
    quality, receipt = best.quality, run.receipt
    run.record(best.meshed.receipt)
    receipt.mesh.CopyFrom(quality)
    receipt.mask.coverage = float(best.framed.cutout.alpha.mean())
    receipt.mask.frame_share = best.framed.share
    receipt.mask.touches.extend(best.framed.touches)
    if best.framed.touches:
        touched = " and ".join(best.framed.touches)
        run.warn(f"the subject is cut by the photo's {touched} border; the mesh ends there")
    receipt.verdict = state_verdict(quality, receipt)
    metrics.observe(metrics.MESH_THICKNESS, quality.thickness_ratio)
    if quality.silhouette_iou:  # 0 stands for "nothing to compare with"
        metrics.MESH_SILHOUETTE_IOU.observe(quality.silhouette_iou)
    flat = "truly" if quality.truly_flat else "yes" if quality.flat else "no"
    retry = "none" if not receipt.attempts else "refused" if receipt.attempts[0].returned else "taken"
    metrics.MESHES.labels(flat, "yes" if quality.watertight else "no", retry).inc()


def state_verdict(quality: mesher_pb2.MeshQuality, receipt: pb.Receipt) -> str:
    """Return in words how the mesh is, why, and what was tried."""
    parts = [quality.verdict.rstrip(".")]
    had_depth = any(s.stage == DEPTH and s.outcome in (pb.OUTCOME_OK, pb.OUTCOME_SUPPLIED) for s in receipt.stages)
    if quality.flat and not quality.truly_flat and not had_depth:
        parts.append("there was no depth to tell how deep it is")
    if receipt.attempts:
        taken, other = sorted(receipt.attempts, key=lambda attempt: not attempt.returned)
        figures = f"{taken.score:.2f} against {other.score:.2f}"
        parts.append(f"of two attempts the one of {taken.made_of} was taken, not that of {other.made_of} ({figures})")
    return "; ".join(part for part in parts if part) + "."
