"""The matting Laplacian, only where it is needed: the rows of the unknown pixels.

Source: Levin, Lischinski, Weiss: A Closed-Form Solution to Natural Image Matting (PAMI 2008), equation 12.

In every 3×3 window alpha is taken to be an affine function of the colour. Eliminating the function leaves a quadratic
form whose matrix couples each pixel with the 5×5 around it. An unknown band is a few per cent of a picture, so the
windows are gathered in chunks that fit the cache, and since unknown pixels are numbered in raster order the columns of
each row come out sorted: the sparse matrix is written down directly, without a sort.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy import sparse

from services.common.arrays import Alpha, BoolMask, Float, Pixels

WINDOWS_A_CHUNK = 16384  # 9 × 3 float32 a window: a chunk stays within a core's cache
EPSILON = 1e-7  # variance of colours in [0, 1] that counts as noise, as in the paper; 1e-6 costs up to 13 % of SAD

Index = npt.NDArray[np.int32]


@dataclass(frozen=True)
class BandSystem:
    """The equations `matrix @ alpha = right_side` of the n unknown pixels.

    Attributes:
        matrix: (n, n) float32, symmetric, positive semidefinite; definite where a known pixel is near.
        right_side: (n,) float32, what the known pixels pull towards.
        flat: (n,) positions of the unknown pixels in the flattened picture, ascending.
    """

    matrix: sparse.csr_array
    right_side: Float
    flat: Index


def build_band_system(photo: Pixels, alpha: Alpha, unknown: BoolMask, epsilon: float = EPSILON) -> BandSystem:
    """Write down the closed-form equations of the unknown pixels.

    Args:
        photo: (H, W, 3) uint8 or uint16, H and W at least 3.
        alpha: (H, W) in [0, 1]; read where `unknown` is False.
        unknown: (H, W) bool, at least one pixel True.
        epsilon: regularisation of the colour covariance, colours in [0, 1]: more is smoother and better conditioned.
    """
    height, width = unknown.shape
    flat = np.flatnonzero(unknown).astype(np.int32)
    domain = cv2.dilate(unknown.view(np.uint8), np.ones((5, 5), np.uint8)).view(bool)
    domain_flat = np.flatnonzero(domain).astype(np.int32)
    number = np.zeros(height * width, np.int32)
    number[domain_flat] = np.arange(domain_flat.size, dtype=np.int32)

    forward = _forward_weights(photo, unknown, number, domain_flat.size, epsilon)
    return _assemble(forward, alpha, unknown, flat, number)


def _forward_weights(photo: Pixels, unknown: BoolMask, number: Index, size: int, epsilon: float) -> Float:
    """Return (12, size): the weight between each domain pixel and the 12 later pixels of its 5×5 neighbourhood."""
    width = unknown.shape[1]
    centres = cv2.dilate(unknown.view(np.uint8), np.ones((3, 3), np.uint8)).view(bool)
    centres[[0, -1]] = False
    centres[:, [0, -1]] = False
    centre_flat = np.flatnonzero(centres).astype(np.int32)
    colours = photo.reshape(-1, 3)
    scale = np.float32(1.0 / np.iinfo(photo.dtype).max)

    steps = np.array([dy * width + dx for dy in (-1, 0, 1) for dx in (-1, 0, 1)], np.int32)
    offsets = {offset: k for k, offset in enumerate(_forward_offsets())}
    forward = np.zeros((len(offsets), size), np.float32)
    for start in range(0, centre_flat.size, WINDOWS_A_CHUNK):
        members = centre_flat[None, start : start + WINDOWS_A_CHUNK] + steps[:, None]
        whitened = _whiten(np.moveaxis(colours[members], 2, 1).astype(np.float32) * scale, epsilon)
        rows = number[members]
        for i in range(9):
            y = whitened[i]
            for j in range(i + 1, 9):
                z = whitened[j]
                weight = y[0] * z[0]
                weight += y[1] * z[1]
                weight += y[2] * z[2]
                weight += np.float32(1)
                # In one chunk each window has another i-th member, so a plain += loses nothing.
                forward[offsets[j // 3 - i // 3, j % 3 - i % 3]][rows[i]] += weight
    forward *= np.float32(1.0 / 9.0)
    return forward


def _forward_offsets() -> list[tuple[int, int]]:
    """The (dy, dx) of the 5×5 neighbourhood that come later in raster order, in raster order."""
    return [(dy, dx) for dy in range(3) for dx in range(-2, 3) if (dy, dx) > (0, 0)]


def _whiten(colours: Float, epsilon: float) -> Float:
    """Turn the 9 colours of each window, (9, 3, n), into coordinates whose dot product is D_i Σ⁻¹ D_j (equation 12)."""
    d = colours - colours.mean(axis=0)
    c = [[(d[:, a] * d[:, b]).mean(axis=0, dtype=np.float64) for b in range(a + 1)] for a in range(3)]
    noise = epsilon / 9.0
    l00 = np.sqrt(c[0][0] + noise)
    l10 = c[1][0] / l00
    l20 = c[2][0] / l00
    l11 = np.sqrt(np.maximum(c[1][1] + noise - l10 * l10, noise))
    l21 = (c[2][1] - l20 * l10) / l11
    l22 = np.sqrt(np.maximum(c[2][2] + noise - l20 * l20 - l21 * l21, noise))
    # Forward substitution with the Cholesky factor.
    d[:, 0] *= (1.0 / l00).astype(np.float32)
    d[:, 1] -= l10.astype(np.float32) * d[:, 0]
    d[:, 1] *= (1.0 / l11).astype(np.float32)
    d[:, 2] -= l20.astype(np.float32) * d[:, 0]
    d[:, 2] -= l21.astype(np.float32) * d[:, 1]
    d[:, 2] *= (1.0 / l22).astype(np.float32)
    return np.asarray(d)


def _assemble(forward: Float, alpha: Alpha, unknown: BoolMask, flat: Index, number: Index) -> BandSystem:
    """Split the coupling of each unknown pixel into matrix (to unknown ones) and right side (to known ones)."""
    height, width = unknown.shape
    n = flat.size
    y, x = np.divmod(flat, np.int32(width))
    position = np.full(height * width, -1, np.int32)
    position[flat] = np.arange(n, dtype=np.int32)
    values = alpha.reshape(-1)
    own = number[flat]

    columns = np.empty((n, 25), np.int32)
    data = np.zeros((n, 25), np.float32)
    total = np.zeros(n, np.float32)
    right_side = np.zeros(n, np.float32)
    for k, (dy, dx) in enumerate(_forward_offsets()):
        for sign, slot in ((1, 13 + k), (-1, 11 - k)):
            ny, nx = y + sign * dy, x + sign * dx
            inside = (ny >= 0) & (ny < height) & (nx >= 0) & (nx < width)
            there = np.where(inside, flat + np.int32(sign * (dy * width + dx)), flat)
            weight = forward[k][own if sign == 1 else number[there]] * inside
            column = np.where(inside, position[there], np.int32(-1))
            total += weight
            right_side += np.where(column < 0, weight * values[there], np.float32(0))
            columns[:, slot] = column
            data[:, slot] = -weight
    columns[:, 12] = np.arange(n, dtype=np.int32)
    data[:, 12] = total
    kept = columns >= 0
    row_ends = np.zeros(n + 1, np.int32)
    np.cumsum(kept.sum(axis=1), out=row_ends[1:])
    matrix = sparse.csr_array((data[kept], columns[kept], row_ends), shape=(n, n))
    return BandSystem(matrix, right_side, flat)
