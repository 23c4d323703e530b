"""Masks corrupted in controlled ways: with leaks, missing parts and blur, as networks leave them.

Every function takes (H, W) float32 alpha in [0, 1] and returns a new one.
"""

from __future__ import annotations

import cv2
import numpy as np
from scipy import ndimage

from services.common.arrays import Alpha, BoolMask

# Of the simulated network, after what real ones do: soft outlines, and grey where they are unsure. ISNet on photos with
# exact masks keeps about 4 % of the subject's area too much and loses as much on the harder half of them.
SOFTNESS = 0.004  # sigma of the outline, of the long side
DOUBTFUL_SHARE = 0.06  # of the subject's area, for each of the two doubtful places
LEAK_ALPHA, MISSING_ALPHA = 0.62, 0.38  # a leak is more subject than not, a missing part less: both cross one half


def add_leak(alpha: Alpha, share: float, seed: int, value: float = 1.0) -> Alpha:
    """Return the mask with a patch of background at the outline added, `share` of the subject's area large."""
    return _patched(alpha, np.asarray(alpha < 0.5), share, seed, value)


def remove_part(alpha: Alpha, share: float, seed: int, value: float = 0.0) -> Alpha:
    """Return the mask with a patch of subject at the outline taken away, `share` of the subject's area large."""
    return _patched(alpha, np.asarray(alpha >= 0.5), share, seed, value)


def blur(alpha: Alpha, sigma_share: float) -> Alpha:
    """Return the mask blurred by a Gaussian, its sigma a share of the long side."""
    sigma = sigma_share * max(alpha.shape)
    return np.asarray(cv2.GaussianBlur(alpha, (0, 0), sigma), dtype=np.float32) if sigma > 0 else alpha.copy()


def simulate_network(alpha: Alpha, seed: int) -> Alpha:
    """Return what an unsure network might say of a subject whose exact alpha is known.

    The outline is soft; at one place of it background is taken along, at another the subject is lost, both in greys
    that tell the doubt. It stands in for a real network's mask where none is at hand.
    """
    with_leak = add_leak(alpha, DOUBTFUL_SHARE, seed, LEAK_ALPHA)
    return blur(remove_part(with_leak, DOUBTFUL_SHARE, seed + 1, MISSING_ALPHA), SOFTNESS)


def _patched(alpha: Alpha, where: BoolMask, share: float, seed: int, value: float) -> Alpha:
    """Set the pixels of `where` that are nearest to a random point of the outline."""
    subject = np.asarray(alpha >= 0.5)
    outline = np.argwhere(subject & ~ndimage.binary_erosion(subject, border_value=1))
    count = min(round(share * float(np.count_nonzero(subject))), int(np.count_nonzero(where)))
    if len(outline) == 0 or count == 0:
        return alpha.copy()
    point = outline[np.random.default_rng(seed).integers(len(outline))]
    pixels = np.argwhere(where)
    near = np.argpartition(((pixels - point) ** 2).sum(axis=1), count - 1)[:count]
    damaged = alpha.copy()
    damaged[tuple(pixels[near].T)] = value
    return damaged
