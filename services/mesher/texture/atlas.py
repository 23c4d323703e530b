"""A texture atlas for a mesh, and the point of the surface behind each of its texels. No OpenGL: only NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from services.common.arrays import Faces, Points
from services.common.drawing.rasteriser import rasterise
from services.common.errors import StageUnavailable
from services.mesher.geometry.mesh import UV

PATCH_FACES = (
    1000  # xatlas's time grows with the square of a mesh: 60,000 faces in CPU seconds, at once some 25, thus 2.4
)
PADDING_SHARE = 1 / 256  # of the atlas between charts, as TripoSR has it: mip levels do not bleed


@dataclass(frozen=True)
class Atlas:
    """A mesh cut along seams.

    Attributes:
        source: (n,) int64, the vertex of the uncut mesh behind each vertex.
        faces: (m, 3) int32, in the order of the uncut mesh.
        uv: (n, 2) float32 in [0, 1], origin at the lower left.
    """

    source: npt.NDArray[np.int64]
    faces: Faces
    uv: UV


@dataclass(frozen=True)
class Texels:
    """The covered texels of a square texture.

    Attributes:
        index: (p,) int64 flat index, rows from the top.
        face: (p,) int64.
        weights: (p, 3) float32 barycentric weights of the face's corners.
    """

    index: npt.NDArray[np.int64]
    face: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32]


def unwrap(vertices: Points, faces: Faces, resolution: int) -> Atlas:
    """Return an atlas of the mesh by xatlas, which gets it in patches and packs all of them together.

    Patches cost a few seams more, which a baked texture does not show, and make the time grow with the faces.

    Raises:
        StageUnavailable: xatlas is not installed.
    """
    try:
        import xatlas
    except ImportError as problem:
        raise StageUnavailable("textures need xatlas: install unflat[mesher]") from problem
    library: Any = xatlas
    atlas = library.Atlas()
    patches = _split(vertices[faces].mean(axis=1))
    corners = []  # of each patch, the vertices of the uncut mesh
    for patch in patches:
        used, local = np.unique(faces[patch], return_inverse=True)
        atlas.add_mesh(vertices[used].astype(np.float32), local.reshape(-1, 3).astype(np.uint32))
        corners.append(used)
    charts = library.ChartOptions()
    charts.max_iterations = 1
    packing = library.PackOptions()
    packing.resolution = resolution
    packing.padding = max(2, round(resolution * PADDING_SHARE))
    packing.bilinear = True
    packing.bruteForce = False
    atlas.generate(chart_options=charts, pack_options=packing)
    return _join(faces, patches, corners, [atlas[k] for k in range(len(patches))])


def _split(centres: Points) -> list[npt.NDArray[np.int64]]:
    """Return the faces in patches of at most `PATCH_FACES`, halved again and again along their longest extent."""
    patches, left = [], [np.arange(len(centres))]
    while left:
        faces = left.pop()
        if len(faces) <= PATCH_FACES:
            patches.append(faces)
            continue
        axis = int(np.argmax(np.ptp(centres[faces], axis=0)))
        order = faces[np.argsort(centres[faces, axis], kind="stable")]
        left += [order[: len(order) // 2], order[len(order) // 2 :]]
    return patches


def _join(
    faces: Faces, patches: list[npt.NDArray[np.int64]], corners: list[npt.NDArray[np.int32]], found: list[Any]
) -> Atlas:
    """Return one atlas of the patches, its faces in the order of the uncut mesh."""
    joined = np.empty_like(faces)
    sources, uvs, count = [], [], 0
    for patch, used, (source, cut, uv) in zip(patches, corners, found, strict=True):
        joined[patch] = np.asarray(cut, np.int32) + count
        sources.append(used[np.asarray(source, np.int64)])
        uvs.append(uv)
        count += len(source)
    return Atlas(np.concatenate(sources).astype(np.int64), joined, np.concatenate(uvs).astype(np.float32))


def find_texels(atlas: Atlas, resolution: int) -> Texels:
    """Return which point of which face lies behind each covered texel.

    >>> corner = Atlas(np.arange(3), np.array([[0, 1, 2]], np.int32), np.array([[0, 0], [1, 0], [0, 1]], np.float32))
    >>> find_texels(corner, resolution=4).index.reshape(-1).tolist()  # rows from the top
    [0, 4, 5, 8, 9, 10, 12, 13, 14, 15]
    """
    screen = np.stack([atlas.uv[:, 0], 1.0 - atlas.uv[:, 1]], axis=1) * np.float32(resolution)
    face, weights, index = rasterise(
        np.asarray(screen, np.float32), np.zeros(len(screen), np.float32), atlas.faces, resolution
    )
    return Texels(index, face, weights)


def interpolate(values: npt.NDArray[Any], faces: Faces, texels: Texels) -> npt.NDArray[np.float64]:
    """Return (p, c) values at the texels of (n, c) values at the vertices of the uncut mesh."""
    return np.asarray(np.einsum("pk,pkc->pc", texels.weights, values[faces[texels.face]]), dtype=np.float64)
