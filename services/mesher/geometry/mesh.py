"""The mesh every mesher hands out, and the few measures of it that need no library.

Convention: +X right, +Y up, +Z towards the photo's camera, so that the photo's front faces +Z as glTF wants it; centred
on its bounding box, largest extent 1 unless a size was asked for. Faces are counter-clockwise seen from outside.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import csgraph

from services.common.arrays import RGB, Colours, Faces, Points

UV = npt.NDArray[np.float32]
"""(n, 2) float32 in [0, 1], origin at the lower left of the texture."""


@dataclass(frozen=True)
class Mesh:
    """Triangles with colours a vertex, or with a texture.

    Attributes:
        vertices: (n, 3) float64 in the module's convention.
        faces: (m, 3) int32, counter-clockwise seen from outside.
        colours: (n, 3) uint8 sRGB, or None.
        uv: (n, 2) float32, origin at the texture's lower left, or None. A textured mesh repeats vertices along seams.
        texture: (H, W, 3) uint8 sRGB, or None.
        notes: what was done to it, one sentence each, for the receipt.
    """

    vertices: Points
    faces: Faces
    colours: Colours | None = None
    uv: UV | None = None
    texture: RGB | None = None
    notes: tuple[str, ...] = ()


def normalise(mesh: Mesh, size_mm: float | None = None) -> Mesh:
    """Return the mesh centred on its bounding box with largest extent 1, or `size_mm` if given."""
    if len(mesh.vertices) == 0:
        return mesh
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    extent = float((high - low).max())
    scale = (1.0 if size_mm is None else size_mm) / max(extent, 1e-12)
    return replace(mesh, vertices=(mesh.vertices - (low + high) / 2) * scale)


def face_normals(vertices: Points, faces: Faces) -> Points:
    """Return (m, 3) normals as long as twice the area of their face."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return np.asarray(np.cross(b - a, c - a), dtype=np.float64)


def vertex_normals(vertices: Points, faces: Faces) -> Points:
    """Return (n, 3) unit normals, the mean of the faces at a vertex weighted by their area."""
    by_face = face_normals(vertices, faces)
    normals = np.stack(
        [np.bincount(faces.ravel(), np.repeat(by_face[:, k], 3), minlength=len(vertices)) for k in range(3)], axis=1
    )
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.asarray(normals / np.maximum(length, 1e-20), dtype=np.float64)


def signed_volume(vertices: Points, faces: Faces) -> float:
    """Return the enclosed volume: positive when the faces of a closed mesh look outward."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def merge_by_position(vertices: Points, faces: Faces, digits: int = 6) -> tuple[Points, Faces]:
    """Return the mesh with equal positions (to `digits` decimals) made one vertex and collapsed faces dropped."""
    _, first, inverse = np.unique(np.round(vertices, digits), axis=0, return_index=True, return_inverse=True)
    merged = inverse.reshape(-1)[faces].astype(np.int32)
    a, b, c = merged.T
    whole = (a != b) & (b != c) & (c != a)
    return vertices[first], np.asarray(merged[whole], dtype=np.int32)


def is_watertight(faces: Faces) -> bool:
    """Return whether each directed edge has exactly one partner of the other direction: closed, wound one way."""
    if len(faces) == 0:
        return False
    size = np.int64(faces.max()) + 1
    start = faces.astype(np.int64)
    end = np.roll(start, -1, axis=1)
    forth = np.sort((start * size + end).ravel())
    back = np.sort((end * size + start).ravel())
    return bool(np.all(forth[1:] != forth[:-1]) and np.array_equal(forth, back))


def label_components(faces: Faces, vertex_count: int) -> tuple[int, npt.NDArray[np.int32]]:
    """Return how many connected parts there are and (n,) int32 the part of each vertex."""
    links = np.concatenate([faces[:, :2], faces[:, 1:]])
    graph = sparse.coo_matrix((np.ones(len(links), np.int8), (links[:, 0], links[:, 1])), (vertex_count, vertex_count))
    count, label = csgraph.connected_components(graph, directed=False)
    return int(count), np.asarray(label, dtype=np.int32)
