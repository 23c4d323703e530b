"""Specks and pinholes: opening and closing propose, colour disposes.

What a kernel removes or fills is noise only if its colours say so. An enclosed hole is judged by the colours *outside*
the subject, never by its own: a ring's hole shows what lies behind the ring, however small it is.
"""

from __future__ import annotations

import cv2
import numpy as np

from services.common.arrays import Alpha, BoolMask, Float
from services.common.imaging.colour_evidence import LOCAL, WHOLE, colour_evidence
from services.common.imaging.thin_parts import disc
from services.segmentation.refine.refine_input import RefineInput

CLEAR = 1.0  # mean log likelihood ratio that a region needs to be overruled: e times likelier the other class
LARGEST_HOLE = 0.02  # share of the subject: a larger hole is not noise, whatever its colours
MEANT_HOLE = 0.15  # mean alpha of a hole below which the network meant it
SOLID = 0.95  # what a filled pixel becomes: subject, a little less sure than the network's own


def clean_noise(scene: RefineInput, alpha: Alpha, kernel_size: int) -> Alpha:
    """Return `alpha` without specks and pinholes that the colours call noise.

    Args:
        scene: the picture and the mask as it came.
        alpha: (H, W) float32 in [0, 1].
        kernel_size: odd; opening and closing propose what such a disc removes or fills.
    Returns:
        (H, W) float32 in [0, 1].
    """
    mask = alpha >= 0.5
    inside = mask.astype(np.uint8)
    kernel = disc(kernel_size // 2)
    specks = mask & (cv2.morphologyEx(inside, cv2.MORPH_OPEN, kernel) == 0) & ~scene.thin
    holes = _doubtful_holes(scene, mask) | (
        ~mask & (cv2.morphologyEx(inside, cv2.MORPH_CLOSE, kernel) > 0) & ~scene.thin
    )
    suspects = specks | holes
    if not suspects.any():
        return alpha
    evidence = _evidence_of_outside(scene, mask, suspects)
    cleaned = np.where(_overruled(specks, -evidence), 1 - SOLID, alpha)
    return np.asarray(np.where(_overruled(holes, evidence), SOLID, cleaned), dtype=np.float32)


def _doubtful_holes(scene: RefineInput, mask: BoolMask) -> BoolMask:
    """Return (H, W) bool: enclosed background that is small and that the mask as it came was not sure of."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), connectivity=4)
    area = stats[:, cv2.CC_STAT_AREA]
    doubt = np.bincount(labels.ravel(), weights=scene.given.ravel(), minlength=count) / np.maximum(area, 1)
    at_border = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    small = (area <= LARGEST_HOLE * max(1, int(np.count_nonzero(mask)))) & (doubt > MEANT_HOLE)
    small[0] = False
    small[at_border] = False
    return np.asarray(small[labels])


def _evidence_of_outside(scene: RefineInput, mask: BoolMask, suspects: BoolMask) -> Float:
    """Return (H, W) float32: colour evidence at `suspects`, which themselves teach neither class their colours."""
    near = cv2.dilate(suspects.astype(np.uint8), disc(1)) > 0
    subject, background = scene.subject & mask & ~near, scene.background & ~mask & ~near
    nearby = colour_evidence(scene.lab, subject, background, suspects, whole=LOCAL)
    anywhere = colour_evidence(scene.lab, subject, background, suspects, whole=WHOLE)
    weaker = np.where(np.abs(nearby) < np.abs(anywhere), nearby, anywhere)
    return np.where(nearby * anywhere > 0, weaker, np.float32(0.0))


def _overruled(regions: BoolMask, evidence: Float) -> BoolMask:
    """Return (H, W) bool: those connected regions whose mean `evidence` is beyond `CLEAR`."""
    count, labels = cv2.connectedComponents(regions.astype(np.uint8), connectivity=8)
    area = np.bincount(labels.ravel(), minlength=count)
    mean = np.bincount(labels.ravel(), weights=evidence.ravel(), minlength=count) / np.maximum(area, 1)
    chosen = mean > CLEAR
    chosen[0] = False
    return np.asarray(chosen[labels])
