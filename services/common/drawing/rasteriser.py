"""Triangles to pixels in software: no OpenGL, no window, only NumPy.

A z-buffer over all triangles at once: those of like size are drawn together, each as its block of pixels, and a pixel
keeps the nearest one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from services.common.arrays import Faces, Float

BLOCKS = (2, 3, 4, 6, 8, 12, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)  # pixel blocks in which triangles are drawn
CANDIDATES = 2_000_000  # pixels tested at a time

Int = npt.NDArray[np.int64]


def rasterise(screen: Float, depth: Float, faces: Faces, size: int) -> tuple[Int, Float, Int]:
    """Return what each covered pixel of a square picture sees.

    Args:
        screen: (n, 2) float32 pixel positions of the vertices, pixel centres at .5.
        depth: (n,) float32 in [-2, 2], larger is nearer to the viewer.
        faces: (m, 3) int32, drawn from both sides.
        size: of the picture in pixels.
    Returns:
        The nearest face (p,), its barycentric weights (p, 3) in the picture, and the flat pixel index (p,).

    >>> screen = np.array([[0, 0], [4, 0], [0, 4]], np.float32)
    >>> face, weights, pixel = rasterise(screen, np.zeros(3, np.float32), np.array([[0, 1, 2]], np.int32), size=4)
    >>> pixel.tolist()  # rows from the top
    [0, 1, 2, 3, 4, 5, 6, 8, 9, 12]
    """
    a, b, c = (screen[faces[:, k]] for k in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    low = np.maximum(np.ceil(np.minimum(np.minimum(a, b), c) - 0.5), 0).astype(np.int64)
    high = np.minimum(np.floor(np.maximum(np.maximum(a, b), c) - 0.5), size - 1).astype(np.int64)
    reach = (high - low + 1).max(axis=1)
    drawn = (np.abs(area) > 1e-12) & ((high - low).min(axis=1) >= 0)
    nearest = np.full(size * size, np.iinfo(np.int64).max, dtype=np.int64)
    smallest = 0
    for block in BLOCKS:
        chosen = np.flatnonzero(drawn & (reach > smallest) & (reach <= block))
        smallest = block
        step = max(1, CANDIDATES // (block * block))
        for start in range(0, len(chosen), step):
            _fill(nearest, chosen[start : start + step], block, low, (a, b, c), area, depth, faces, size)
    pixel = np.flatnonzero(nearest != np.iinfo(np.int64).max)
    face = nearest[pixel] & 0xFFFFFFFF
    x, y = (pixel % size + 0.5).astype(np.float32), (pixel // size + 0.5).astype(np.float32)
    return face, np.stack(_barycentric(x, y, a[face], b[face], c[face], area[face]), axis=1), pixel


def _fill(
    nearest: Int,
    chosen: Int,
    block: int,
    low: Int,
    corners: tuple[Float, Float, Float],
    area: Float,
    depth: Float,
    faces: Faces,
    size: int,
) -> None:
    """Enter the chosen triangles into the z-buffer: key = depth in the upper bits, face in the lower 32."""
    dy, dx = np.divmod(np.arange(block * block), block)
    x = low[chosen, 0, None] + dx
    y = low[chosen, 1, None] + dy
    a, b, c = (corner[chosen, None] for corner in corners)
    u, v, w = _barycentric((x + 0.5).astype(np.float32), (y + 0.5).astype(np.float32), a, b, c, area[chosen, None])
    covered = (u >= -1e-5) & (v >= -1e-5) & (w >= -1e-5) & (x < size) & (y < size)
    row, column = np.nonzero(covered)
    face = chosen[row]
    z = (
        u[row, column] * depth[faces[face, 0]]
        + v[row, column] * depth[faces[face, 1]]
        + w[row, column] * depth[faces[face, 2]]
    )
    key = (((2.0 - z) * (1 << 28)).astype(np.int64) << 32) | face
    np.minimum.at(nearest, y[row, column] * size + x[row, column], key)


def _barycentric(x: Float, y: Float, a: Float, b: Float, c: Float, area: Float) -> tuple[Float, Float, Float]:
    v = ((x - a[..., 0]) * (c[..., 1] - a[..., 1]) - (y - a[..., 1]) * (c[..., 0] - a[..., 0])) / area
    w = ((b[..., 0] - a[..., 0]) * (y - a[..., 1]) - (b[..., 1] - a[..., 1]) * (x - a[..., 0])) / area
    u = np.asarray(1.0 - v - w, dtype=np.float32)
    return u, np.asarray(v, dtype=np.float32), np.asarray(w, dtype=np.float32)
