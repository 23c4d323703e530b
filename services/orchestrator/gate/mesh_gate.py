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
from services.orchestrator.fusion import FusionOptions, fuse
from services.orchestrator.gate.boundary_contrast import boundary_contrast
from services.orchestrator.masked_photo import MaskedPhoto, MesherInput
from services.orchestrator.stages.stage_protocols import Meshed
from unflat.v1 import mesher_pb2

Fault = Literal["broken", "flat", "unexplained"]

LEAST_EXPLAINED = 0.8  # IoU of mesh and mask below which the mesh is not the shape of the photo
SAME_MASK = 0.98  # IoU from which two masks make the same mesh
OTHER_SUBJECT = 0.5  # IoU below which a mask shows something else, however well its outline is confirmed
CLEARLY_BETTER = 0.01  # more boundary contrast than that is no accident
PLAUSIBLE = 0.9  # of the first mask's boundary contrast, which a mask needs to be tried at all


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

    candidate: MeshCandidate
    framed: MesherInput
    meshed: Meshed

    @property
    def quality(self) -> mesher_pb2.MeshQuality:
        """What the mesher measured."""
        return self.meshed.quality


@dataclass(frozen=True)
class JudgedAttempt:
    """An attempt held against the photo.

    The mesher's score says how well a mesh fits its own mask; times the contrast along the mask's boundary it says how
    well it fits the photo. Without that a leak would win: it gives the mesh more to explain.
    """

    attempt: Attempt
    boundary_contrast: float

    @property
    def score(self) -> float:
        """0 to 1; the larger one is handed out, the first of equals."""
        return self.attempt.quality.score * self.boundary_contrast


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
    others = (
        (_boundary_contrast(masked, alpha), name, alpha)
        for name, alpha in _other_masks(masked)
        if _differs(alpha, first.alpha)
    )
    other = None
    if (best := max(others, key=lambda found: found[0], default=None)) is not None:
        contrast, name, alpha = best
        now = _boundary_contrast(masked, first.alpha)
        if contrast >= PLAUSIBLE * now:
            other = replace(first, alpha=alpha, mask_name=name)
        if contrast - now > CLEARLY_BETTER:
            return other
    if first.relief and fault in ("flat", "broken"):
        return replace(first, relief=False)
    return other


def judge(attempts: Sequence[Attempt], masked: MaskedPhoto) -> list[JudgedAttempt]:
    """Return how well each attempt fits the photo."""
    return [JudgedAttempt(attempt, _boundary_contrast(masked, attempt.candidate.alpha)) for attempt in attempts]


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


def _boundary_contrast(masked: MaskedPhoto, alpha: Alpha) -> float:
    return boundary_contrast(masked.photo.working, alpha)
