"""Which views of a set stand out from their neighbours: in the subject's size, its place, or its colours.

Photos of a set follow each other round the subject, so what changes, changes slowly. Each view is compared with the
median of its nearest neighbours; it stands out where the difference is large against the set's own (modified z-score,
Iglewicz and Hoaglin 1993) and large in itself. Views found so are left out, and the others judged again without them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from services.cli.photo_sets.thumbnails import Thumbnail

LEAST_VIEWS = 5  # fewer have no neighbourhood to stand out from
NEIGHBOURS = 2  # on either side; at the ends of a set there is one side only, or a steady change would look like a jump
Z_LIMIT = 3.5  # Iglewicz and Hoaglin's
_MAD_TO_SIGMA = 1.4826
# Differences below these are never reported, however even the set is.
LEAST_SIZE = 0.25  # of the subject's area, as a ratio's logarithm: a quarter larger or a fifth smaller
LEAST_SHIFT = 0.3  # of the square root of the subject's area: nobody holds a camera still to less
LEAST_COLOUR = 0.25  # Hellinger distance of colour histograms, 0 to 1

_BINS = (8, 12, 12)  # of L, a, b
_CHROMA_REACH = 64  # a and b beyond share the outermost bin


@dataclass(frozen=True)
class Features:
    """What of a view is compared: the subject's share of the picture, its centre in shares of the long side, and its
    colours as a histogram of sum 1 (zeros where there is no subject).
    """

    area: float
    centre: tuple[float, float]
    colours: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Doubt:
    """A view that stands out: its place in the set, by how many times the limit, and why, one sentence each."""

    index: int
    excess: float
    reasons: tuple[str, ...]


def measure(thumbnail: Thumbnail) -> Features:
    """Return what is compared of a view."""
    subject = thumbnail.mask > 127
    side = max(subject.shape)
    if not subject.any():
        return Features(0.0, (0.5, 0.5), np.zeros(int(np.prod(_BINS)), np.float32))
    ys, xs = np.nonzero(subject)
    centre = (float(xs.mean()) / side, float(ys.mean()) / side)
    return Features(float(subject.mean()), centre, _histogram(thumbnail.photo, subject))


def find_doubts(views: Sequence[Features]) -> list[Doubt]:
    """Return the views that stand out, in the order of the set; none where there are fewer than `LEAST_VIEWS`.

    Args:
        views: in the order in which they were taken.
    """
    if len(views) < LEAST_VIEWS:
        return []
    found: list[Doubt] = []
    for _ in range(2):  # once more without those found: an outlier also skews its neighbours' medians
        left_out = {doubt.index for doubt in found}
        if len(views) - len(left_out) < LEAST_VIEWS:
            break
        found = _judge(views, left_out)
    return found


def _judge(views: Sequence[Features], left_out: set[int]) -> list[Doubt]:
    """Judge every view by neighbours that are not left out, against the spread of those that are not."""
    compared = [_compare(views, index, left_out) for index in range(len(views))]
    differences = np.array([c.differences for c in compared])
    trusted = np.array([index not in left_out for index in range(len(views))])
    middle = np.median(differences[trusted], axis=0)
    spread = _MAD_TO_SIGMA * np.median(np.abs(differences[trusted] - middle), axis=0)
    limits = np.maximum(middle + Z_LIMIT * spread, (LEAST_SIZE, LEAST_SHIFT, LEAST_COLOUR))
    doubts = []
    for index, one in enumerate(compared):
        over = one.differences > limits
        if over.any():
            reasons = tuple(said for said, is_over in zip(one.sentences, over, strict=True) if is_over)
            doubts.append(Doubt(index, float((one.differences / limits).max()), reasons))
    return doubts


@dataclass(frozen=True)
class _Compared:
    differences: npt.NDArray[np.float64]  # (3,): size, shift, colours
    sentences: tuple[str, str, str]


def _compare(views: Sequence[Features], index: int, left_out: set[int]) -> _Compared:
    view = views[index]
    others = [views[i] for i in _neighbours(len(views), index, left_out)]
    area = float(np.median([other.area for other in others]))
    x, y = (float(np.median([other.centre[axis] for other in others])) for axis in (0, 1))
    colours = np.mean([other.colours for other in others], axis=0)
    least = 1e-4  # of the picture: an empty mask is far from any other, not infinitely far
    size = abs(float(np.log(max(view.area, least) / max(area, least))))
    shift = float(np.hypot(view.centre[0] - x, view.centre[1] - y)) / max(float(np.sqrt(area)), 1e-2)
    colour = float(np.sqrt(max(0.0, 1.0 - float(np.sqrt(view.colours * colours).sum()))))
    return _Compared(
        np.array([size, shift, colour]),
        (
            f"its subject covers {view.area:.1%} of the photo, its neighbours' {area:.1%}",
            f"its subject lies {shift:.0%} of its size away from where its neighbours have it",
            f"its subject's colours are unlike its neighbours' (distance {colour:.2f} of 1)",
        ),
    )


def _neighbours(count: int, index: int, left_out: set[int]) -> list[int]:
    before = [i for i in range(index) if i not in left_out]
    after = [i for i in range(index + 1, count) if i not in left_out]
    return [*before[-NEIGHBOURS:], *after[:NEIGHBOURS]]


def _histogram(photo: npt.NDArray[np.uint8], subject: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    lab = cv2.cvtColor(photo, cv2.COLOR_RGB2LAB)
    low, high = 128 - _CHROMA_REACH, 128 + _CHROMA_REACH
    lab[:, :, 1:] = np.clip(lab[:, :, 1:], low, high - 1)
    ranges = [0, 256, low, high, low, high]
    counts = cv2.calcHist([lab], [0, 1, 2], subject.astype(np.uint8), list(_BINS), ranges)
    for axis in range(3):  # a colour at the border of two bins is near both
        padded = np.pad(counts, [(1, 1) if i == axis else (0, 0) for i in range(3)], mode="edge")
        before, after = (np.take(padded, np.arange(counts.shape[axis]) + step, axis) for step in (0, 2))
        counts = 0.25 * before + 0.5 * counts + 0.25 * after
    return np.asarray(counts / counts.sum(), dtype=np.float32).ravel()
