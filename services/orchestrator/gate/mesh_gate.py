"""The gate: whether a mesh may be handed over, what to try when it may not, and which of two attempts is the better.

What is tried follows the evidence. Where another mask has the better confirmed outline, the mask is to blame, and that
one is taken; else depth's relief is, if the mesh is flat or broken with it; else a mask that is nearly as well
confirmed may do. A subject that depth shows to be flat is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from services.common.arrays import Alpha
from services.orchestrator.cutout.cut import Cutout
from services.orchestrator.fusion import FusionOptions, fuse
from services.orchestrator.gate.boundary_contrast import boundary_contrast
from services.orchestrator.masked_photo import MaskedPhoto, MesherInput
from services.orchestrator.stages.grpc_stages import DEPTH, Meshed
from unflat.v1 import mesher_pb2
from unflat.v1 import orchestrator_pb2 as pb

Fault = Literal["broken", "flat", "unexplained"]

LEAST_EXPLAINED = 0.8  # IoU of mesh and mask below which the mesh is not the shape of the photo
SAME_MASK = 0.98  # IoU from which two masks make the same mesh
OTHER_SUBJECT = 0.5  # IoU below which a mask shows something else, however well its outline is confirmed
CLEARLY_BETTER = 0.01  # more support of the outline than that is no accident
PLAUSIBLE = 0.9  # of the first mask's support, which a mask needs to be tried at all


@dataclass(frozen=True)
class MeshCandidate:
    """What a mesh is made of: a mask at working size, with depth's relief or without, and that in words."""

    alpha: Alpha
    mask_name: str
    relief: bool
    relief_possible: bool

    def __str__(self) -> str:
        """Return e.g. "the raw mask without depth's relief"."""
        if not self.relief_possible:
            return self.mask_name
        return f"{self.mask_name} {'with' if self.relief else 'without'} depth's relief"


@dataclass(frozen=True)
class Attempt:
    """One mesh and what it was made of."""

    way: MeshCandidate
    cutout: Cutout
    framed: MesherInput
    meshed: Meshed

    @property
    def quality(self) -> mesher_pb2.MeshQuality:
        """What the mesher measured."""
        return self.meshed.quality


def first_candidate(masked: MaskedPhoto, options: mesher_pb2.MeshOptions) -> MeshCandidate:
    """Return what is tried first: the fused mask, with depth's relief unless that was not wanted."""
    wanted = options.use_depth or not options.HasField("use_depth")
    relief = masked.depth is not None and wanted
    return MeshCandidate(masked.alpha, "the mask", relief, relief_possible=relief)


def find_fault(quality: mesher_pb2.MeshQuality) -> Fault | None:
    """Return why a mesh may not be handed over as it is; None for a good one, and for a flat mesh of a flat subject."""
    if not (quality.watertight and quality.outward):
        return "broken"
    if quality.truly_flat:
        return None
    if quality.flat:
        return "flat"
    return "unexplained" if quality.silhouette_iou < LEAST_EXPLAINED else None


def next_candidate(fault: Fault, first: MeshCandidate, masked: MaskedPhoto) -> MeshCandidate | None:
    """Return what to try after `first` had `fault`, or None where nothing else promises anything."""
    others = [(name, alpha) for name, alpha in _other_masks(masked) if _differs(alpha, first.alpha)]
    now = _support(masked, first.alpha) if others else 0.0
    supported = [(_support(masked, alpha), name, alpha) for name, alpha in others]
    gain, other = 0.0, None
    if supported:
        most, name, alpha = max(supported, key=lambda found: found[0])
        gain = most - now
        if most >= PLAUSIBLE * now:
            other = replace(first, alpha=alpha, mask_name=name)
    if other is not None and gain > CLEARLY_BETTER:
        return other
    if first.relief and fault in ("flat", "broken"):
        return replace(first, relief=False)
    return other


def pick_better(attempts: Sequence[Attempt], masked: MaskedPhoto, receipt: pb.Receipt) -> Attempt:
    """Return the better attempt, and put all of them on the receipt.

    The mesher's score says how well a mesh fits its own mask; times the support of the mask's outline it says how well
    it fits the photo. Without that a leak would win: it gives the mesh more to explain.
    """
    scores = []
    for attempt in attempts:
        support = _support(masked, attempt.way.alpha)
        score = attempt.quality.score * support
        receipt.attempts.add(
            made_of=str(attempt.way), quality=attempt.quality, boundary_contrast=support, score=score, returned=False
        )
        scores.append(score)
    best = int(np.argmax(scores))  # the first of equals
    receipt.attempts[best].returned = True
    return attempts[best]


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


def _other_masks(masked: MaskedPhoto) -> list[tuple[str, Alpha]]:
    """Return segmentation's refined mask, its raw one, and the refined one cut by depth; none beside a caller's own."""
    if masked.supplied is not None:
        return []
    found = [("segmentation's mask", masked.refined)]
    if masked.raw_alpha is not None:
        found.append(("the raw mask", masked.raw_alpha))
    if masked.depth is not None:
        options = FusionOptions(strategy="intersection", depth_percentile="auto")
        near = fuse(masked.photo.working, masked.refined, masked.depth, options).alpha
        found.append(("the mask cut by depth", near))
    return found


def _differs(alpha: Alpha, other: Alpha) -> bool:
    """Tell whether two masks show one subject in two ways."""
    one, two = alpha >= 0.5, other >= 0.5
    both, either = int(np.count_nonzero(one & two)), int(np.count_nonzero(one | two))
    return OTHER_SUBJECT * either <= both < SAME_MASK * either


def _support(masked: MaskedPhoto, alpha: Alpha) -> float:
    return boundary_contrast(masked.photo.working, alpha)
