"""Meshes as bare surfaces: read from a file, brought to unit size, sampled by area."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull, QhullError, cKDTree

from evaluation.synthetic.truth import bounding_sphere
from services.common.arrays import Points

SAMPLES = 10_000
_SPHERE_STEPS = 2000


@dataclass(frozen=True)
class Surface:
    """Triangles: (n, 3) float64 vertices and (m, 3) int64 faces."""

    vertices: Points
    faces: npt.NDArray[np.int64]


def read_surface(source: Path | bytes, file_type: str = "glb") -> Surface:
    """Return all geometry of a GLB, PLY, OBJ or STL file as one surface, the scene's transforms applied.

    Args:
        source: a path, or the bytes of a file.
        file_type: of bytes; a path tells by its ending.
    Raises:
        ValueError: no triangles, or vertices that are not finite.
    """
    import trimesh

    named = source if isinstance(source, Path) else io.BytesIO(source)
    kind = None if isinstance(source, Path) else file_type
    loaded: Any = trimesh.load(named, file_type=kind, process=False)
    if isinstance(loaded, trimesh.Scene):
        loaded = loaded.to_geometry()
    if not isinstance(loaded, trimesh.Trimesh) or len(loaded.faces) == 0:
        raise ValueError("the mesh has no triangles")
    vertices = np.asarray(loaded.vertices, dtype=np.float64)
    if not np.isfinite(vertices).all():
        raise ValueError("the mesh has vertices that are not finite")
    return Surface(vertices, np.asarray(loaded.faces, dtype=np.int64))


def to_unit_sphere(surface: Surface) -> Surface:
    """Return the surface centred on its bounding sphere, of radius 1."""
    used = surface.vertices[np.unique(surface.faces)]
    with contextlib.suppress(QhullError, ValueError):  # a plane has no hull; all its points are taken
        used = used[ConvexHull(used).vertices]  # only corners of the hull can lie on the sphere
    centre, radius = bounding_sphere(used, _SPHERE_STEPS)
    return Surface((surface.vertices - centre) / max(radius, 1e-12), surface.faces)


def nearest_distances(source: Points, target: Points) -> npt.NDArray[np.float64]:
    """Return (n,) the distance of each of (n, 3) points to the nearest of (m, 3) others."""
    return np.asarray(cKDTree(target).query(source)[0], dtype=np.float64)


def sample(surface: Surface, count: int = SAMPLES, seed: int = 0) -> Points:
    """Return (count, 3) points spread evenly over the area."""
    rng = np.random.default_rng(seed)
    triangles = surface.vertices[surface.faces]
    area = np.linalg.norm(np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]), axis=1)
    if area.sum() <= 0:
        return np.asarray(triangles.reshape(-1, 3)[rng.integers(0, 3 * len(triangles), count)])
    edges = np.cumsum(area)
    steps = (np.arange(count) + rng.random(count)) / count * edges[-1]
    picks = np.searchsorted(edges, steps).clip(0, len(area) - 1)
    u, v = np.sqrt(rng.random(count)), rng.random(count)
    weights = np.stack([1 - u, u * (1 - v), u * v], axis=1)
    return np.asarray(np.einsum("ni,nij->nj", weights, triangles[picks]))
