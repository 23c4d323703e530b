"""The embedded backend: finds the subject without weights. Saliency proposes, three graph cuts vote, the prior blends.

One cut has to be started from one threshold, and no threshold fits all pictures; three cuts that start from a generous,
a middling and a strict one agree where the picture is clear and leave a middle value where it is not.
Source: Rother, Kolmogorov, Blake, "GrabCut" (2004), as in OpenCV.

Limits: it knows colours, not things. A subject coloured like its surroundings, or beside something more striking,
is found in part or not at all. A regular pattern coarser than about a twentieth of the picture passes for a subject.
"""

from __future__ import annotations

import threading

import cv2
import numpy as np
import numpy.typing as npt

from services.common.arrays import RGB, Alpha
from services.common.errors import NoSubject
from services.common.imaging.working_size import shrink_to
from services.segmentation.backends.base import RawMask
from services.segmentation.backends.saliency import find_salient

WORKING_PX = 320  # long side; GrabCut's smoothing is tuned to pictures of this size (at 160 it swallows subjects)
STARTS = (0.3, 0.5, 0.7)  # of the prior: above, a cut starts with the pixel as probable subject
SURE_BACKGROUND = 0.03  # of the prior: below, no cut may take the pixel
CUT_WEIGHT = (
    0.75  # of the vote; the rest is the prior's, so that a pixel all cuts agree on still tells how salient it is
)
LEAST_SHARE = 0.3  # of the main region's salience that another region must have
LEAST_AREA = 0.001  # share of the picture
EDGE_RADIUS, EDGE_EPSILON = 4, 1e-3  # guided filter at working size: window 9 px, colour variance that counts as flat

_SEED = threading.Lock()  # OpenCV's random numbers are one state a thread pool may share


class GrabCut:
    """See `services.segmentation.backends.base.Backend`."""

    name = "grabcut"
    device = "cpu"
    dtype = "uint8"
    digest = ""
    licence = "Apache-2.0"
    notes: tuple[str, ...] = ()
    file_bytes = 0

    def load(self) -> None:
        """Do nothing: there are no weights."""

    def close(self) -> None:
        """Do nothing."""

    def segment(self, rgb: RGB) -> RawMask:
        """Return a soft mask, (H, W) float32: 0 or 1 where all signs agree, between where they do not. Deterministic.

        Raises:
            NoSubject: the picture is blank, noise, a gradient or an even texture, or no cut finds anything.
        """
        small = shrink_to(rgb, WORKING_PX)
        if min(small.shape[:2]) < 8:
            raise NoSubject(f"a picture of {rgb.shape[1]} × {rgb.shape[0]} px is too narrow to find a subject in")
        prior = find_salient(small)
        vote = np.mean([_cut(small, prior, start) for start in STARTS], axis=0, dtype=np.float32)
        vote = vote if (vote > 0.5).any() else prior
        soft = np.asarray(CUT_WEIGHT * vote + (1 - CUT_WEIGHT) * prior, dtype=np.float32)
        soft = _keep_main(soft, prior)
        if np.mean(soft > 0.5) < LEAST_AREA:
            raise NoSubject("no part of the picture stands out clearly enough to be a subject")
        alpha = _to_full_size(rgb, small, soft)
        return RawMask(alpha, float(alpha.max()))


def _cut(small: RGB, prior: Alpha, start: float) -> Alpha:
    """Return one GrabCut, (h, w) float32 0 or 1, started where `prior` is above `start`."""
    hints = np.where(prior > start, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    hints[prior < SURE_BACKGROUND] = cv2.GC_BGD
    subject = np.count_nonzero(hints == cv2.GC_PR_FGD)
    if subject < 10 or hints.size - subject < 10:  # five components a colour model must be fed
        return np.asarray(prior > start, dtype=np.float32)
    background_model, subject_model = np.zeros((1, 65)), np.zeros((1, 65))
    with _SEED:
        cv2.setRNGSeed(0)
        cv2.grabCut(small, hints, (0, 0, 0, 0), background_model, subject_model, 1, cv2.GC_INIT_WITH_MASK)
    return np.asarray((hints == cv2.GC_FGD) | (hints == cv2.GC_PR_FGD), dtype=np.float32)


def _keep_main(soft: Alpha, prior: Alpha) -> Alpha:
    """Return `soft` without the regions that carry little of the prior beside the main one."""
    count, regions = cv2.connectedComponents((soft > 0.5).astype(np.uint8))
    if count <= 2:
        return soft
    salience = np.bincount(regions.ravel(), prior.ravel(), minlength=count)
    salience[0] = 0.0
    dropped = salience < LEAST_SHARE * salience.max()
    dropped[0] = False
    return np.where(dropped[regions], np.minimum(soft, np.float32(0.25)), soft)


def _to_full_size(rgb: RGB, small: RGB, soft: Alpha) -> Alpha:
    """Return `soft` at the size of `rgb`, following the large picture's own edges.

    Source: He, Sun, "Fast Guided Filter" (2015): the local lines a·I + b are found small and applied large.
    """
    guide = small.astype(np.float32) / np.float32(255)
    slope, offset = _local_lines(guide, soft)
    size = (rgb.shape[1], rgb.shape[0])
    alpha = cv2.resize(offset, size, interpolation=cv2.INTER_LINEAR)
    for channel in range(3):
        enlarged = cv2.resize(np.ascontiguousarray(slope[..., channel]), size, interpolation=cv2.INTER_LINEAR)
        alpha += enlarged * (rgb[..., channel].astype(np.float32) / np.float32(255))
    return np.clip(np.asarray(alpha, dtype=np.float32), 0.0, 1.0)


def _local_lines(
    guide: npt.NDArray[np.float32], values: Alpha
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return a (h, w, 3) and b (h, w): in each window, values ≈ a·I + b (He et al., eq. 14 and 15, colour guide)."""
    mean_I, mean_p = _box(guide), _box(values)
    cov_Ip = _box(guide * values[..., None]) - mean_I * mean_p[..., None]
    products = [
        _box(guide[..., i] * guide[..., j]) - mean_I[..., i] * mean_I[..., j] for i in range(3) for j in range(3)
    ]
    sigma = np.stack(products, axis=-1).reshape(*values.shape, 3, 3) + EDGE_EPSILON * np.eye(3, dtype=np.float32)
    a = np.asarray(np.linalg.solve(sigma, cov_Ip[..., None])[..., 0], dtype=np.float32)
    b = mean_p - np.einsum("ijk,ijk->ij", a, mean_I)
    return _box(a), _box(np.asarray(b, dtype=np.float32))


def _box(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    window = (2 * EDGE_RADIUS + 1, 2 * EDGE_RADIUS + 1)
    return np.asarray(cv2.blur(values, window, borderType=cv2.BORDER_REFLECT), dtype=np.float32)
