"""Judge what a caller brought along: is the picture's own alpha a cutout, and is a supplied mask the right way round?

An alpha channel says little by being there: many files carry one that is opaque, has a stray transparent pixel, a frame
or rounded corners. So it is judged by its histogram and the shape that remains, not by the file's mode or its minimum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from services.common.arrays import RGB, Alpha, BoolMask
from services.common.errors import InvalidImage

VISIBLE = 5 / 255  # fainter is not seen
CLEAR = 0.1  # alpha up to which a pixel counts as taken away
LEAST_CLEAR_SHARE = 0.03  # a cutout takes more away than this
LEAST_VISIBLE_SHARE = 0.0005  # a subject covers more than this
RECTANGLE_FILL = 0.96  # what fills its box so well may be a picture with a frame or rounded corners (up to a fifth
# of the side) as well as a box-shaped subject
EXACT_FILL = 0.9999  # a frame around a picture leaves an upright rectangle and nothing soft

BORDER_SHARE = 0.6  # so much of the border belongs to a mask that is suspected of being inverted
EMPTIER_BY = 0.3  # while the centre is emptier than the border by that much,
EMPTIER_TIMES = 3.0  # or by that factor
LEAST_EMPTY = 0.1  # and at least so empty
UNIFORM = 0.03  # standard deviation of colours in [0, 1] of a studio backdrop
TEXTURE_RATIO = 2.0  # a backdrop is that much calmer than what stands before it

AlphaVerdict = Literal["cut", "opaque", "empty"]


@dataclass(frozen=True)
class MaskPolarity:
    """Whether a mask seems to show the background instead of the subject, and why, in words."""

    inverted: bool
    reason: str


def judge_own_alpha(alpha: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> AlphaVerdict:
    """Return whether an alpha channel is a useful cutout.

    Args:
        alpha: (H, W) uint8 or uint16, straight from the file.
    Returns:
        "cut": background is taken away and a subject remains; "opaque": the alpha tells nothing, segment the picture;
        "empty": nothing is visible.
    Raises:
        InvalidImage: no pixels, or another type.

    >>> y, x = np.mgrid[:120, :160]
    >>> disc = np.where(np.hypot(x - 70, y - 60) < 30, 255, 0).astype(np.uint8)
    >>> judge_own_alpha(disc), judge_own_alpha(np.full_like(disc, 255)), judge_own_alpha(np.zeros_like(disc))
    ('cut', 'opaque', 'empty')
    """
    if alpha.ndim != 2 or alpha.size == 0 or alpha.dtype not in (np.uint8, np.uint16):
        raise InvalidImage(f"alpha is {alpha.dtype} of shape {alpha.shape}; wanted (height, width) of 8 or 16 bit")
    top = np.iinfo(alpha.dtype).max
    visible = np.asarray(alpha >= VISIBLE * top)
    if float(visible.mean()) < LEAST_VISIBLE_SHARE:
        return "empty"
    if float(np.mean(alpha <= CLEAR * top)) < LEAST_CLEAR_SHARE:
        return "opaque"
    remains = np.asarray(alpha > CLEAR * top)
    if not remains.any():
        return "opaque"
    if _box_fill(remains) < RECTANGLE_FILL or _is_free_box(remains, alpha):
        return "cut"
    return "opaque"


def check_polarity(mask: Alpha, rgb: RGB) -> MaskPolarity:
    """Return whether `mask` looks inverted: the border belongs to it, the centre does not.

    A subject that touches the frame, or fills it, is not inverted: its centre is at least as full as its border. Where
    the shapes are in doubt (a wreath that fills the frame) a calm backdrop decides.

    Args:
        mask: (H, W) in [0, 1], supplied by the caller.
        rgb: (H, W, 3) uint8, the picture it belongs to, of the same size.
    Raises:
        InvalidImage: the sizes differ.
    """
    if mask.shape != rgb.shape[:2]:
        raise InvalidImage(f"the mask is {_size(mask.shape)} px; wanted the picture's {_size(rgb.shape)} px")
    inside = np.asarray(mask > 0.5)
    if not inside.any() or inside.all():
        return MaskPolarity(False, "the mask is " + ("all white" if inside.any() else "all black"))
    border, centre = _border_share(inside), _centre_share(inside)
    shown = f"{border:.0%} of the border and {centre:.0%} of the centre belong to the mask"
    enclosed = border - centre >= EMPTIER_BY or 1.0 - centre >= max(LEAST_EMPTY, EMPTIER_TIMES * (1.0 - border))
    if border < BORDER_SHARE or not enclosed:
        return MaskPolarity(False, shown)
    texture_in, texture_out = _texture(rgb, inside), _texture(rgb, ~inside)
    if texture_out < UNIFORM and texture_out * TEXTURE_RATIO < texture_in:
        return MaskPolarity(False, f"{shown}, but what it leaves out is a plain backdrop")
    return MaskPolarity(True, shown)


def _box_fill(mask: BoolMask) -> float:
    """Return the share of its bounding box that `mask` fills."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return float(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].mean())


def _is_free_box(remains: BoolMask, alpha: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> bool:
    """Tell whether what fills its box is a phone or a book that somebody cut out, and not a picture with a frame.

    It stands free of the canvas on all sides, and its corners or edges show that they were cut: they are rounded,
    slanting or soft, where a frame leaves an exact upright rectangle. A picture with rounded corners fills its canvas.
    """
    touches = remains[0].any() or remains[-1].any() or remains[:, 0].any() or remains[:, -1].any()
    soft = (alpha > CLEAR * np.iinfo(alpha.dtype).max) & (alpha < (1 - CLEAR) * np.iinfo(alpha.dtype).max)
    return not touches and (_box_fill(remains) < EXACT_FILL or bool(soft.any()))


def _border_share(mask: BoolMask) -> float:
    return float(np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]]).mean())


def _centre_share(mask: BoolMask) -> float:
    """Return the share of the picture's middle (half of each side) that belongs to `mask`."""
    height, width = mask.shape
    middle = mask[height // 4 : height - height // 4, width // 4 : width - width // 4]
    return float(middle.mean())


def _texture(rgb: RGB, where: BoolMask) -> float:
    """Return the mean standard deviation of the three colours there, in [0, 1]."""
    return float(rgb[where].std(axis=0, dtype=np.float64).mean() / 255.0)


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} × {shape[0]}"
