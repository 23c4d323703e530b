"""Small regions of one colour, on a regular grid of seeds.

Source: Achanta et al., "SLIC Superpixels Compared to State-of-the-art Superpixel Methods" (2012), algorithm 1, without
the final step that joins stray pixels: only averages over regions are used here. skimage's slic in its place takes 15
ms of CPU instead of 61 (a whole mask: 380) and makes masks of 40 photos worse (median IoU 0.686 instead of 0.715, mean
0.6647 instead of 0.6653), so this stays.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from services.common.arrays import Float

Labels = npt.NDArray[np.intp]

COMPACTNESS = 12.0  # Lab distance that weighs as much as one seed spacing
ROUNDS = 5


def superpixels(lab: Float, count: int) -> Labels:
    """Return (H, W) int labels 0…n-1, n about `count`, each region near its seed and of similar colour.

    Args:
        lab: (H, W, 3) float32 CIE Lab.
        count: regions wanted, at least 1.
    """
    height, width = lab.shape[:2]
    spacing = np.sqrt(height * width / count)
    rows, columns = max(1, round(height / spacing)), max(1, round(width / spacing))
    y, x = np.mgrid[0:height, 0:width]
    row, column = y * rows // height, x * columns // width
    scale = COMPACTNESS / spacing
    features = np.dstack([lab, x * scale, y * scale]).reshape(-1, 5).astype(np.float32)
    reachable = [
        (np.clip(row + dy, 0, rows - 1) * columns + np.clip(column + dx, 0, columns - 1)).ravel()
        for dy in (-1, 0, 1)
        for dx in (-1, 0, 1)
    ]
    labels = (row * columns + column).ravel()
    for _ in range(ROUNDS):
        labels = _assign(features, labels, reachable, rows * columns)
    _, dense = np.unique(labels, return_inverse=True)
    return np.asarray(dense.reshape(height, width), dtype=np.intp)


def mean_over(labels: Labels, values: Float) -> Float:
    """Return `values` (H, W) averaged over each region, (H, W) float32.

    >>> mean_over(np.array([[0, 0, 1]]), np.array([[1, 3, 5]], dtype=np.float32)).tolist()
    [[2.0, 2.0, 5.0]]
    """
    flat = labels.ravel()
    sums = np.bincount(flat, values.ravel())
    return np.asarray((sums / np.bincount(flat))[labels], dtype=np.float32)


def _assign(features: Float, labels: Labels, reachable: list[Labels], seeds: int) -> Labels:
    counts = np.bincount(labels, minlength=seeds)
    sums = np.stack([np.bincount(labels, features[:, k], minlength=seeds) for k in range(5)], axis=1)
    centres = (sums / np.maximum(counts, 1)[:, None]).astype(np.float32)
    centres[counts == 0] = 1e6  # a seed that lost all its pixels stays lost
    nearest = np.full(len(labels), np.inf, dtype=np.float32)
    chosen = labels.copy()
    for candidate in reachable:
        difference = features - centres[candidate]
        distance = np.einsum("ij,ij->i", difference, difference)
        nearer = distance < nearest
        nearest[nearer] = distance[nearer]
        chosen[nearer] = candidate[nearer]
    return chosen
