"""Which connected parts of a mesh are real: floaters and closed hollows go, a second part of some size stays."""

from __future__ import annotations

import numpy as np

from services.common.arrays import Faces, Points
from services.mesher.mesh import face_normals, label_components

MIN_AREA = 0.01  # of the whole surface: what the quality gate counts as a part
MIN_VOLUME = 0.002  # of the largest part; a floater is small in both, a thin real part only in one


def keep_real_parts(vertices: Points, faces: Faces) -> tuple[Points, Faces, int]:
    """Return the mesh without its floaters and hollows, and how many of them there were.

    A part is kept if it holds 1 % of the area or 0.2 % of the largest part's volume, and is not inside out: a hollow in
    a body, which nobody sees, is a part whose faces look inward.

    Args:
        vertices: (n, 3) float64.
        faces: (m, 3) int32 of a closed mesh.
    """
    if len(faces) == 0:
        return vertices, faces, 0
    count, label = label_components(faces, len(vertices))
    part = label[faces[:, 0]]
    area = np.bincount(part, np.linalg.norm(face_normals(vertices, faces), axis=1), minlength=count)
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    volume = np.bincount(part, np.einsum("ij,ij->i", a, np.cross(b, c)), minlength=count)
    real = (volume > 0) & ((area >= MIN_AREA * area.sum()) | (volume >= MIN_VOLUME * volume.max()))
    used = real[label]
    renumber = np.cumsum(used) - 1
    return vertices[used], np.asarray(renumber[faces[real[part]]], dtype=np.int32), int(count - np.count_nonzero(real))
