"""The mesh every mesher hands out, and the few measures of it that need no library.

Convention: +X right, +Y up, +Z towards the photo's camera, so that the photo's front faces +Z as glTF wants it; centred
on its bounding box, largest extent 1 unless a size was asked for. Faces are counter-clockwise seen from outside.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from trimesh.geometry import mean_vertex_normals
from trimesh.graph import connected_component_labels

from services.common.arrays import RGB, Colours, Faces, Points

DECIMALS = 6  # with which files are written: what is equal in print is one place

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


def normalise(mesh: Mesh, size: float = 1.0) -> Mesh:
    """Return the mesh centred on its bounding box, its largest extent `size`.

    >>> triangle = Mesh(np.array([[0.0, 0, 0], [4, 0, 0], [0, 2, 0]]), np.array([[0, 1, 2]], np.int32))
    >>> normalise(triangle).vertices.tolist()
    [[-0.5, -0.25, 0.0], [0.5, -0.25, 0.0], [-0.5, 0.25, 0.0]]
    """
    if len(mesh.vertices) == 0:
        return mesh
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    scale = size / max(float((high - low).max()), 1e-12)
    return replace(mesh, vertices=(mesh.vertices - (low + high) / 2) * scale)


def face_normals(vertices: Points, faces: Faces) -> Points:
    """Return (m, 3) normals as long as twice the area of their face."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return np.asarray(np.cross(b - a, c - a), dtype=np.float64)


def vertex_normals(vertices: Points, faces: Faces) -> Points:
    """Return (n, 3) unit normals, the mean of the faces at a vertex weighted by their area."""
    return np.asarray(mean_vertex_normals(len(vertices), faces, face_normals(vertices, faces)), dtype=np.float64)


def signed_volume(vertices: Points, faces: Faces) -> float:
    """Return the enclosed volume: positive when the faces of a closed mesh look outward.

    >>> corners = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    >>> faces = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]], np.int32)
    >>> 6 * signed_volume(corners, faces), 6 * signed_volume(corners, faces[:, ::-1])
    (1.0, -1.0)
    """
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def merge_by_position(vertices: Points, faces: Faces) -> tuple[Points, Faces]:
    """Return the mesh with equal positions (to six decimals) made one vertex and collapsed faces dropped.

    >>> corners = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1e-9, 0], [0, 1, 0]])
    >>> merge_by_position(corners, np.array([[0, 1, 3], [1, 2, 3]], np.int32))[1].tolist()
    [[0, 2, 1]]
    """
    _, first, inverse = np.unique(np.round(vertices, DECIMALS), axis=0, return_index=True, return_inverse=True)
    merged = inverse.reshape(-1)[faces].astype(np.int32)
    a, b, c = merged.T
    whole = (a != b) & (b != c) & (c != a)
    return vertices[first], np.asarray(merged[whole], dtype=np.int32)


def is_watertight(faces: Faces) -> bool:
    """Return whether each directed edge has exactly one partner of the other direction: closed, wound one way.

    >>> tetrahedron = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]], np.int32)
    >>> is_watertight(tetrahedron), is_watertight(tetrahedron[1:])
    (True, False)
    """
    if len(faces) == 0:
        return False
    size = np.int64(faces.max()) + 1
    start = faces.astype(np.int64)
    end = np.roll(start, -1, axis=1)
    forth = np.sort((start * size + end).ravel())
    back = np.sort((end * size + start).ravel())
    return bool(np.all(forth[1:] != forth[:-1]) and np.array_equal(forth, back))


def label_components(faces: Faces, vertex_count: int) -> tuple[int, npt.NDArray[np.int32]]:
    """Return how many connected parts there are and (n,) int32 the part of each vertex.

    >>> count, label = label_components(np.array([[0, 1, 2], [3, 4, 5]], np.int32), 6)
    >>> count, label.tolist()
    (2, [0, 0, 0, 1, 1, 1])
    """
    label = connected_component_labels(np.concatenate([faces[:, :2], faces[:, 1:]]), vertex_count)
    return int(label.max(initial=-1)) + 1, np.asarray(label, dtype=np.int32)
