"""Restore parts that the mask misses: background beside it that depth and colour call subject.

A missing part lies at the subject's depth and ends, like the subject, in a depth step. The ground in front of the
subject lies at its depth as well, but is wide, and has the ground's colours.
"""

from __future__ import annotations

import cv2
import numpy as np

from services.common.arrays import Alpha, BoolMask
from services.common.imaging.colour_evidence import WHOLE, colour_evidence
from services.orchestrator.fusion.fusion_input import FusionInput, dilate, erode, local_mean
from services.orchestrator.fusion.regions import find_cores, is_compact, step_limit

SMALLEST = 0.001  # share of the picture
LARGEST = 0.15  # share of the subject: more is no missing part
SUBJECT_COLOURS = 0.5  # mean log likelihood ratio a missing part must have
CONTACT = 0.2  # share of a part's rim that must lie on the mask
RESTORED = 0.9  # alpha of what is restored


def restore_missing_parts(view: FusionInput, alpha: Alpha) -> Alpha:
    """Return `alpha` with missing parts filled.

    Args:
        view: photo, mask and depth; its inner and outer parts teach the colours.
        alpha: (H, W) float32 in [0, 1], the mask so far.
    """
    mask = alpha >= 0.5
    limit = step_limit(view)
    labels, area = find_cores(view, ~mask, limit)
    largest = LARGEST * np.count_nonzero(mask)
    candidates = [i for i in np.flatnonzero(area) if SMALLEST * mask.size <= area[i] <= largest]
    if not candidates:
        return alpha
    suspects = np.isin(labels, candidates)
    evidence = colour_evidence(view.lab, view.inner & mask, view.outer & ~suspects, np.asarray(suspects), whole=WHOLE)
    subject_depth, known = local_mean(view.depth, erode(mask, view.reach), 3.0 * view.reach)
    restored = alpha
    for index in candidates:
        part = np.asarray(labels == index)
        near = part & (known > 0.05)
        if not near.any() or evidence[part].mean() < SUBJECT_COLOURS or not is_compact(part):
            continue
        if abs(float(np.median((view.depth - subject_depth)[near]))) > 2 * limit or not _touches(view, part, mask):
            continue
        restored = np.where(_with_rim(view, part, mask), np.maximum(restored, RESTORED), restored)
    return np.asarray(restored, dtype=np.float32)


def _touches(view: FusionInput, part: BoolMask, mask: BoolMask) -> bool:
    rim = dilate(part, view.reach) & ~part
    return bool(np.count_nonzero(rim & dilate(mask, 2)) >= CONTACT * np.count_nonzero(rim))


def _with_rim(view: FusionInput, part: BoolMask, mask: BoolMask) -> BoolMask:
    """Return the part and the gap that the depth's blur left between it and the mask."""
    both = (part | mask).astype(np.uint8)
    size = 2 * view.reach + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    closed = cv2.morphologyEx(both, cv2.MORPH_CLOSE, kernel) > 0
    return np.asarray(closed & dilate(part, view.reach) & ~mask)
