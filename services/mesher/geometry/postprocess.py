"""What a caller may ask to be done to any mesh, whoever made it: smoother, lighter, of some size, standing."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from services.common.choices import Placement
from services.mesher.geometry.mesh import Mesh, normalise, signed_volume
from services.mesher.geometry.simplification import simplify_mesh
from services.mesher.geometry.smoothing import smooth_taubin


@dataclass(frozen=True)
class PostprocessOptions:
    """What is done to a finished mesh.

    Attributes:
        smooth: rounds of smoothing, 0 to 100; volume stays.
        faces: most faces, 100 to 2,000,000, or None for as many as the mesher makes.
        size_mm: largest extent in millimetres, or None for a unit.
        placement: centred on its box, or standing on y = 0 with its box's centre above the origin.
    """

    smooth: int = 0
    faces: int | None = None
    size_mm: float | None = None
    placement: Placement = "centred"


def smooth_and_simplify(mesh: Mesh, options: PostprocessOptions) -> Mesh:
    """Return the mesh smoothed and with fewer faces as asked for, with a note on each.

    Args:
        mesh: closed, without a texture.
        options: only `smooth` and `faces` count here.
    """
    if options.smooth:
        mesh = _smooth(mesh, options.smooth)
    if options.faces is None or len(mesh.faces) <= options.faces:
        return mesh
    simplified = simplify_mesh(mesh, options.faces)
    if simplified is not mesh:
        return simplified
    note = f"left at {len(mesh.faces)} faces: with {options.faces} it would not stay closed"
    return replace(mesh, notes=(*mesh.notes, note))


def resize_and_place(mesh: Mesh, options: PostprocessOptions, unit_mm: float = 1.0) -> Mesh:
    """Return the mesh in its size and place.

    Args:
        mesh: with or without a texture.
        options: only `size_mm` and `placement` count here.
        unit_mm: millimetres in a unit of the file: 1000 for glTF, whose unit is the metre.
    """
    placed = normalise(mesh, 1.0 if options.size_mm is None else options.size_mm / unit_mm)
    if options.placement == "centred" or len(placed.vertices) == 0:
        return placed
    lowest = placed.vertices[:, 1].min()
    return replace(placed, vertices=placed.vertices - np.array([0.0, lowest, 0.0]))


def _smooth(mesh: Mesh, rounds: int) -> Mesh:
    """Smooth without shrinking: what little volume changes all the same is given back by scaling."""
    before = signed_volume(mesh.vertices, mesh.faces)
    vertices = smooth_taubin(mesh.vertices, mesh.faces, rounds)
    after = signed_volume(vertices, mesh.faces)
    if before > 0 and after > 0:
        centre = (vertices.min(axis=0) + vertices.max(axis=0)) / 2
        vertices = centre + (vertices - centre) * (before / after) ** (1 / 3)
    return replace(mesh, vertices=vertices, notes=(*mesh.notes, f"smoothed in {rounds} rounds"))
