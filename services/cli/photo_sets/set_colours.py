"""A mask from what the rest of a set knows: its colours of subject and surroundings, and where the subject stood.

The colour model of GrabCut (two Gaussian mixtures) is learned from the neighbours' masks and kept frozen; a graph cut
then decides the one view with it. Source: Rother, Kolmogorov, Blake, "GrabCut" (2004), sections 3.2 and 3.3.

Limits: subject and surroundings that share their colours cannot be told apart this way; whether the mask is any good
is for `consistency.py` to say.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from services.cli.photo_sets.thumbnails import Thumbnail
from services.common.arrays import RGB
from services.common.imaging.working_size import shrink_to

_CUT_SIDE_PX = 512  # long side of the graph cut
_LEARN_SIDE_PX = 128  # of each neighbour while learning: the mixtures need colours, not detail
_MOST_NEIGHBOURS = 8
_REACH = 0.25  # of the subject's size: so far from where any neighbour has it the subject may lie
_SMALLEST_PART = 0.05  # of the largest part: smaller ones are look-alike colours
_SURE = 250


def propose_mask(photo: RGB, neighbours: Sequence[Thumbnail]) -> npt.NDArray[np.uint8]:
    """Return (H, W) uint8, 0 or 255 with soft steps from enlarging, at the size of `photo`.

    Args:
        photo: (H, W, 3) uint8 sRGB, upright: the view to decide.
        neighbours: views whose masks are trusted, nearest first; at least one.
    """
    near = list(neighbours)[:_MOST_NEIGHBOURS]
    small = shrink_to(photo, _CUT_SIDE_PX)
    labels = _where_it_may_be(near, small.shape)
    if not (labels == cv2.GC_PR_FGD).any():
        return np.zeros(photo.shape[:2], np.uint8)
    background, foreground = _learn(near)
    cv2.grabCut(_bgr(small), labels, (0, 0, 1, 1), background, foreground, 1, cv2.GC_EVAL_FREEZE_MODEL)
    subject = _without_specks((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD))
    size = (photo.shape[1], photo.shape[0])
    return np.asarray(cv2.resize(subject, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def _learn(views: Sequence[Thumbnail]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the mixtures of background and foreground, learned from the sure pixels of all views at once."""
    colours, labels = [], []
    for view in views:
        photo = shrink_to(view.photo, _LEARN_SIDE_PX)
        mask = cv2.resize(view.mask, (photo.shape[1], photo.shape[0]), interpolation=cv2.INTER_AREA)
        sure = (mask >= _SURE) | (mask <= 255 - _SURE)
        colours.append(photo[sure])
        labels.append(np.where(mask[sure] >= _SURE, cv2.GC_FGD, cv2.GC_BGD))
    strip = np.concatenate(colours)[None]  # one row of pixels: only the colours count here
    decided = np.concatenate(labels).astype(np.uint8)[None]
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)
    cv2.grabCut(_bgr(strip), decided, (0, 0, 1, 1), background, foreground, 1, cv2.GC_INIT_WITH_MASK)
    return background, foreground


def _where_it_may_be(views: Sequence[Thumbnail], shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Return GrabCut's labels: surely background far from every neighbour's subject, else what most of them say."""
    height, width = shape[:2]
    masks = [cv2.resize(view.mask, (width, height), interpolation=cv2.INTER_LINEAR) > 127 for view in views]
    share = np.mean(masks, axis=0)
    anywhere = (share > 0).astype(np.uint8)
    reach = max(1, round(_REACH * float(np.sqrt(np.median([mask.sum() for mask in masks])))))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    reachable = cv2.dilate(anywhere, kernel) > 0
    likely = np.where(share >= 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD)
    return np.asarray(np.where(reachable, likely, cv2.GC_BGD), dtype=np.uint8)


def _without_specks(subject: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    count, parts, stats, _ = cv2.connectedComponentsWithStats(subject.astype(np.uint8), connectivity=8)
    if count < 2:
        return np.zeros(subject.shape, np.uint8)
    areas = stats[:, cv2.CC_STAT_AREA].astype(np.float64)
    areas[0] = 0  # the background
    return np.asarray(np.where(areas[parts] >= _SMALLEST_PART * areas.max(), 255, 0), dtype=np.uint8)


def _bgr(photo: RGB) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(photo[:, :, ::-1])
