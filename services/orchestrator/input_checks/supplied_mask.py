"""A mask that replaces segmentation: the caller's, or the photo's own alpha where that is a cutout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.common.arrays import RGB, Alpha, alpha_from_bytes
from services.common.errors import InvalidOption, NoSubject
from services.common.imaging.working_size import resize
from services.common.photos.decoding import Photo
from services.common.photos.raster import turn_upright
from services.orchestrator.gate.boundary_contrast import boundary_contrast
from services.orchestrator.input_checks.own_alpha import check_polarity, judge_own_alpha
from services.orchestrator.stages.stage_protocols import SEGMENTATION, Segmented
from services.orchestrator.stages.stage_receipts import stage_receipt
from unflat.v1 import orchestrator_pb2 as pb

CLEARLY_BETTER = 1.5  # times the boundary contrast: a mask that lies wrong has its outline in the middle of things
LEAST_COVERAGE = 1e-4  # share of the photo below which a mask holds nothing


@dataclass(frozen=True)
class SuppliedMask:
    """A mask that no stage was asked for.

    Attributes:
        alpha: (h, w) in [0, 1], upright, at the size it came in.
        source: OWN_ALPHA or SUPPLIED.
        changes: what was done to make it lie on the photo, one sentence each.
    """

    alpha: Alpha
    source: pb.MaskSource
    changes: tuple[str, ...] = ()

    def as_segmented(self, working: RGB) -> Segmented:
        """Return it in place of what segmentation says of the working image.

        Raises:
            NoSubject: it is empty.
        """
        alpha = resize(self.alpha, working.shape)
        if float(np.mean(alpha > 0.5)) < LEAST_COVERAGE:
            raise NoSubject("the mask is empty; wanted a subject")
        reason = "the photo's own alpha" if self.source == pb.MASK_SOURCE_OWN_ALPHA else "supplied with the request"
        return Segmented(alpha, alpha, stage_receipt(SEGMENTATION, pb.OUTCOME_SUPPLIED, reason))


def check_supplied_mask(mask: Alpha, photo: Photo) -> SuppliedMask:
    """Return the caller's mask, upright and the right way round.

    Programs for photogrammetry keep masks on the stored pixels of a photo that its Orientation turns, so one may come
    back like that.

    Args:
        mask: (h, w) in [0, 1], as decoded.
        photo: what it belongs to.
    Raises:
        InvalidOption: it is not of the photo's shape.
    """
    upright = _choose_upright(mask, photo)
    changes = []
    if upright is not mask:
        changes.append(
            f"the supplied mask lay on the file's own pixels and was turned (Orientation {photo.orientation})"
        )
    polarity = check_polarity(resize(upright, photo.working.shape), photo.working)
    if polarity.inverted:
        upright = np.asarray(1.0 - upright, dtype=np.float32)
        changes.append(f"the supplied mask was turned over: {polarity.reason}")
    return SuppliedMask(upright, pb.MASK_SOURCE_SUPPLIED, tuple(changes))


def _choose_upright(mask: Alpha, photo: Photo) -> Alpha:
    """Return `mask` as it came, or turned like the photo where only that fits its shape, or fits outlines clearly."""
    turned = np.ascontiguousarray(turn_upright(mask, photo.orientation))
    fits, turned_fits = (_same_aspect(one.shape, photo.pixels.shape) for one in (mask, turned))
    if not fits and not turned_fits:
        height, width = photo.pixels.shape[:2]
        raise InvalidOption(
            f"the mask is {mask.shape[1]} × {mask.shape[0]} px, the photo {width} × {height}; wanted the same shape",
            field="mask",
        )
    if photo.orientation == 1 or not turned_fits:
        return mask
    if not fits:
        return turned
    asis, other = (boundary_contrast(photo.working, resize(one, photo.working.shape)) for one in (mask, turned))
    return turned if other > CLEARLY_BETTER * asis else mask


def find_own_alpha(photo: Photo) -> SuppliedMask | None:
    """Return the photo's own alpha where it is a cutout; None where it tells nothing, or there is none.

    Raises:
        NoSubject: the photo is transparent everywhere.
    """
    if photo.own_alpha is None:
        return None
    verdict = judge_own_alpha(photo.own_alpha)
    if verdict == "empty":
        raise NoSubject("the photo is transparent everywhere; wanted a subject")
    if verdict == "opaque":
        return None
    return SuppliedMask(alpha_from_bytes(photo.own_alpha), pb.MASK_SOURCE_OWN_ALPHA)


def _same_aspect(mask: tuple[int, ...], photo: tuple[int, ...]) -> bool:
    """Tell whether one is a scaled version of the other, give or take a rounded pixel."""
    return abs(mask[0] * photo[1] - mask[1] * photo[0]) <= max(photo[0], photo[1], mask[0], mask[1])
