"""Which connected parts of a mesh are real: floaters and closed hollows go, a second part of some size stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from services.common.arrays import BoolMask, Faces, Points
from services.mesher.geometry.mesh import Mesh, face_normals, label_components

MIN_AREA = 0.01  # of the whole surface: what the quality gate counts as a part
MIN_VOLUME = 0.002  # of the largest part; a floater is small in both, a thin real part only in one


def keep_real_parts(vertices: Points, faces: Faces) -> tuple[Points, Faces, int]:
    """Return the mesh without its floaters and hollows, and how many of them there were.

    A part is kept if it holds 1 % of the area or 0.2 % of the largest part's volume, and is not inside out: a hollow in
    a body, which nobody sees, is a part whose faces look inward.

    Args:
        vertices: (n, 3) float64.
        faces: (m, 3) int32 of a closed mesh.

    >>> from services.mesher.extract.surface import extract_surface
    >>> def ball_and_bead(points):
    ...     ball, bead = np.linalg.norm(points, axis=1), np.linalg.norm(points - 0.5, axis=1)
    ...     return (100 * np.maximum(0.5 - ball, 0.02 - bead)).astype(np.float32)
    >>> surface = extract_surface(ball_and_bead, level=0.0, resolution=96)
    >>> vertices, faces, dropped = keep_real_parts(surface.vertices, surface.faces)
    >>> dropped, round(float(np.abs(vertices).max()), 2)
    (1, 0.5)
    """
    if len(faces) == 0:
        return vertices, faces, 0
    used, kept, dropped = _find_real(vertices, faces, MIN_AREA)
    return vertices[used], _renumbered(faces[kept], used), dropped


def drop_floaters(mesh: Mesh, min_area: float = MIN_AREA) -> Mesh:
    """Return a mesh with colours a vertex without its floaters and hollows, and a note on how many there were."""
    if len(mesh.faces) == 0:
        return mesh
    used, kept, dropped = _find_real(mesh.vertices, mesh.faces, min_area)
    if dropped == 0:
        return mesh
    colours = None if mesh.colours is None else mesh.colours[used]
    faces = _renumbered(mesh.faces[kept], used)
    notes = (*mesh.notes, say_dropped(dropped))
    return replace(mesh, vertices=mesh.vertices[used], faces=faces, colours=colours, notes=notes)


def say_dropped(count: int) -> str:
    """Return the receipt's sentence."""
    return f"{count} floating or hidden part{'s' * (count > 1)} removed"


def _find_real(vertices: Points, faces: Faces, min_area: float) -> tuple[BoolMask, BoolMask, int]:
    """Return which vertices and which faces belong to real parts, and how many other parts there are."""
    count, label = label_components(faces, len(vertices))
    part = label[faces[:, 0]]
    area = np.bincount(part, np.linalg.norm(face_normals(vertices, faces), axis=1), minlength=count)
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    volume = np.bincount(part, np.einsum("ij,ij->i", a, np.cross(b, c)), minlength=count)
    real = (volume > 0) & ((area >= min_area * area.sum()) | (volume >= MIN_VOLUME * volume.max()))
    return real[label], real[part], int(count - np.count_nonzero(real))


def _renumbered(faces: Faces, used: BoolMask) -> Faces:
    return np.asarray((np.cumsum(used) - 1)[faces], dtype=np.int32)
