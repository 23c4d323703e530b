"""The refinement chain: from a network's raw mask to one that follows the photo.

    evidence → decision where unsure → GrabCut's opinion → noise → islands → outline → only what follows the photo

*Never worse* is built in: sure pixels change only as whole regions that their colours contradict, a hard mask changes
only where the decision is clear, and without evidence the mask comes back as it came.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.common.arrays import RGB, Alpha
from services.common.errors import InvalidImage
from services.common.imaging.working_size import apply_change, shrink_to
from services.segmentation.refine.accept_by_boundary import accept_by_boundary
from services.segmentation.refine.components import remove_islands
from services.segmentation.refine.decide import decide
from services.segmentation.refine.edge_smoothing import smooth_outline
from services.segmentation.refine.grabcut import consult_grabcut
from services.segmentation.refine.morphology import clean_noise
from services.segmentation.refine.refine_input import RefineInput
from services.segmentation.refine.refine_options import RefineOptions

__all__ = ["RefineOptions", "Refined", "refine"]

CLEAR = 0.8  # a hard mask has no doubt of its own: a flip counts only beyond 0.2 and 0.8 (0.7 cost true masks 0.001)
RUNAWAY = 0.5  # IoU of input and output below which the evidence is not believed


@dataclass(frozen=True)
class Refined:
    """What the chain made of a mask.

    Args:
        alpha: (H, W) float32 in [0, 1].
        notes: what was noticed, one phrase each; empty if all went its usual way.
    """

    alpha: Alpha
    notes: tuple[str, ...]


def refine(rgb: RGB, alpha: Alpha, options: RefineOptions) -> Refined:
    """Return the mask that the photo's colours and the network agree on.

    Args:
        rgb: (H, W, 3) uint8.
        alpha: (H, W) float32 in [0, 1], from a segmentation network; hard masks are welcome. NaN counts as 0.
        options: what to do.
    Returns:
        The refined mask at the input's size; bit equal to the input where nothing spoke against it.
    Raises:
        InvalidImage: photo and mask differ in size.

    A red disc whose right half the network was unsure of:

    >>> y, x = np.mgrid[:96, :96]
    >>> disc = np.hypot(x - 48, y - 48) < 30
    >>> rgb = np.where(disc[..., None], (200, 40, 30), (60, 90, 160)).astype(np.uint8)
    >>> alpha = np.where(disc, np.where(x < 60, 1.0, 0.45), 0.0).astype(np.float32)
    >>> refined = refine(rgb, alpha, RefineOptions()).alpha
    >>> bool(alpha[48, 70] > 0.5), bool(refined[48, 70] > 0.5), bool(((refined > 0.5) == disc).mean() > 0.99)
    (False, True, True)
    """
    if rgb.shape[:2] != alpha.shape:
        (h, w), (mh, mw) = rgb.shape[:2], alpha.shape
        raise InvalidImage(f"the mask is {mw} × {mh} px, the photo {w} × {h} px; they must be of one size")
    alpha = _in_range(alpha)
    if options.from_colours:
        return _unchanged(alpha, "made from the colours alone, which have nothing to add")
    given = shrink_to(alpha, options.working_side)
    scene = RefineInput(shrink_to(rgb, options.working_side), given)
    if not (scene.subject.any() and scene.background.any() and scene.unsure.any()):
        return _unchanged(alpha, "nothing to compare: the mask has no sure subject or no sure background")
    decided = _run(scene, options)
    if _iou(given, decided) < RUNAWAY:
        return _unchanged(alpha, "colours contradict the mask as a whole; it was left as it came")
    return Refined(apply_change(alpha, given, decided), ())


def _in_range(alpha: Alpha) -> Alpha:
    if alpha.min() >= 0 and alpha.max() <= 1:  # false where there is a NaN
        return alpha
    return np.clip(np.nan_to_num(alpha, nan=0.0), 0.0, 1.0)


def _run(scene: RefineInput, options: RefineOptions) -> Alpha:
    alpha = decide(scene)
    if options.use_grabcut:
        alpha = consult_grabcut(scene, alpha)
    alpha = clean_noise(scene, alpha, options.kernel_size)
    if options.remove_small_components:
        alpha = remove_islands(scene, alpha)
    if scene.crisp:
        return accept_by_boundary(scene, alpha, clear=CLEAR)
    return accept_by_boundary(scene, smooth_outline(scene, alpha, options.blur_size), clear=0.5)


def _iou(a: Alpha, b: Alpha) -> float:
    either = np.count_nonzero((a >= 0.5) | (b >= 0.5))
    return float(np.count_nonzero((a >= 0.5) & (b >= 0.5)) / either) if either else 1.0


def _unchanged(alpha: Alpha, note: str) -> Refined:
    return Refined(alpha, (note,))
