"""A mask that replaces segmentation: the caller's, or the photo's own alpha where that is a cutout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.common.arrays import RGB, Alpha, alpha_from_bytes
from services.common.errors import InvalidOption, NoSubject
from services.common.imaging.working_size import resize
from services.common.photos.decoding import Photo
from services.orchestrator.input_checks.own_alpha import check_polarity, judge_own_alpha
from services.orchestrator.stages.stage_protocols import SEGMENTATION, Segmented
from services.orchestrator.stages.stage_receipts import stage_receipt
from unflat.v1 import orchestrator_pb2 as pb

LEAST_COVERAGE = 1e-4  # share of the photo below which a mask holds nothing


@dataclass(frozen=True)
class SuppliedMask:
    """A mask that no stage was asked for.

    Attributes:
        alpha: (h, w) in [0, 1], upright, at the size it came in.
        source: OWN_ALPHA or SUPPLIED.
        turned_over: why it was taken the other way round, or an empty string.
    """

    alpha: Alpha
    source: pb.MaskSource
    turned_over: str = ""

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
    """Return the caller's mask, the right way round.

    Args:
        mask: (h, w) in [0, 1], as decoded.
        photo: what it belongs to.
    Raises:
        InvalidOption: it is not of the photo's shape.
    """
    if not _same_aspect(mask.shape, photo.pixels.shape):
        height, width = photo.pixels.shape[:2]
        raise InvalidOption(
            f"the mask is {mask.shape[1]} × {mask.shape[0]} px, the photo {width} × {height}; wanted the same shape",
            field="mask",
        )
    polarity = check_polarity(resize(mask, photo.working.shape), photo.working)
    if not polarity.inverted:
        return SuppliedMask(mask, pb.MASK_SOURCE_SUPPLIED)
    return SuppliedMask(np.asarray(1.0 - mask, dtype=np.float32), pb.MASK_SOURCE_SUPPLIED, polarity.reason)


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
