"""The exact mesh of a subject: the union of its parts, thinned to a few thousand triangles, in the mesh frame.

Mesh frame: x right, y up (the camera's), z towards the camera; the bounding sphere is the unit sphere about 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluation.synthetic.solids import Faces, Points, Solid, closed_mesh
from evaluation.synthetic.stage import Camera


@dataclass(frozen=True)
class Truth:
    """A mesh in the mesh frame and where it stands.

    `p_camera = scale * p_mesh + offset`, the camera at the origin looking along -z.
    """

    vertices: Points
    faces: Faces
    scale: float
    offset: Points


def exact_mesh(solids: Sequence[Solid], camera: Camera, most_faces: int = 10_000) -> Truth:
    """Return the union of closed solids as one closed mesh with at most `most_faces` triangles.

    Raises:
        ModuleNotFoundError: manifold3d is not installed.
        ValueError: A solid is not closed.
    """
    whole = union(solids)
    extent = float(np.ptp(whole[0], axis=0).max())
    found: list[Truth] = []
    for tolerance in (1e-4, 1.6e-4, 2.5e-4, 4e-4):
        vertices, faces = thinned(*whole, most_faces, tolerance * extent)
        in_camera = camera.to_camera(vertices)
        centre, radius = bounding_sphere(in_camera)
        found.append(Truth((in_camera - centre) / radius, faces, radius, centre))
        if is_closed(merged(found[-1].vertices, faces)):
            return found[-1]
    return found[0]  # surfaces touch in points or lines; thinning more would eat thin parts


def union(solids: Sequence[Solid]) -> tuple[Points, Faces]:
    """Return the outer surface of overlapping closed solids, (n, 3) and (m, 3)."""
    import manifold3d

    bodies = [_body(*closed_mesh(solid)) for solid in solids]
    return _arrays(manifold3d.Manifold.batch_boolean(bodies, manifold3d.OpType.Add))


def thinned(vertices: Points, faces: Faces, most_faces: int, tolerance: float) -> tuple[Points, Faces]:
    """Return a closed mesh with fewer triangles, which stays closed; the tolerance grows until they are few enough."""
    whole = _body(vertices, faces)
    whole = whole.simplify(tolerance)  # in any case: unions leave edges too short for float32
    while whole.num_tri() > most_faces:
        tolerance *= 1.5
        whole = whole.simplify(tolerance)
    return _arrays(whole)


def bounding_sphere(points: Points, rounds: int = 4000) -> tuple[Points, float]:
    """Return centre and radius of nearly the smallest sphere about (n, 3) points.

    Source: M. Bădoiu, K. Clarkson, Smaller core-sets for balls, 2003: step to the farthest point by 1/(k + 1).
    """
    centre = (points.min(axis=0) + points.max(axis=0)) / 2.0
    for k in range(1, rounds):
        away = points - centre
        farthest = int(np.argmax(np.einsum("ij,ij->i", away, away)))
        centre = centre + away[farthest] / (k + 1)
    return centre, float(np.linalg.norm(points - centre, axis=1).max())


def is_closed(faces: npt.NDArray[np.integer]) -> bool:
    """Whether each directed edge of (m, 3) faces has exactly one opposite: closed and evenly oriented."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    top = int(faces.max()) + 1
    forth, back = np.sort(edges[:, 0] * top + edges[:, 1]), np.sort(edges[:, 1] * top + edges[:, 0])
    return bool(np.array_equal(forth, back) and (np.diff(forth) > 0).all())


def merged(vertices: Points, faces: Faces) -> Faces:
    """Return the faces (m, 3) after vertices that coincide to six digits became one, as readers of a mesh do."""
    _, same = np.unique(np.round(vertices, 6), axis=0, return_inverse=True)
    return np.asarray(same, dtype=np.int32).ravel()[faces]


def write_ply(vertices: Points, faces: Faces, path: Path) -> None:
    """Write a binary PLY file, float32 positions."""
    rows = np.empty(len(faces), dtype=[("n", "u1"), ("v", "<i4", 3)])
    rows["n"], rows["v"] = 3, faces
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(vertices)}"]
    header += ["property float x", "property float y", "property float z", f"element face {len(faces)}"]
    header += ["property list uchar int vertex_indices", "end_header", ""]
    path.write_bytes("\n".join(header).encode() + vertices.astype("<f4").tobytes() + rows.tobytes())


def _body(vertices: Points, faces: Faces) -> Any:
    import manifold3d

    positions, triangles = np.array(vertices, dtype=np.float64, order="C"), np.array(faces, dtype=np.uint64, order="C")
    body = manifold3d.Manifold(manifold3d.Mesh64(positions, triangles))
    if body.status() != manifold3d.Error.NoError:
        raise ValueError(f"a part of {len(faces)} triangles is not a closed surface: {body.status()}")
    return body


def _arrays(body: Any) -> tuple[Points, Faces]:
    mesh = body.to_mesh64()
    return np.asarray(mesh.vert_properties, dtype=np.float64)[:, :3], np.asarray(mesh.tri_verts, dtype=np.int32)
