"""The triangles of a grid cell for each of the 256 ways its corners can lie inside or outside.

Not a table copied from somewhere: on each face of the cell the surface runs between inside and outside corners,
opposite inside corners apart from each other; these pieces join to loops, and loops are cut into triangles. Two
neighbouring cells see the same corners of their common face and so cut it the same way, which closes the surface. No
cut through a loop lies in a face, where the neighbour might cut the same way and four triangles would meet in an edge.

Source: Lorensen and Cline 1987, "Marching Cubes"; the rule for doubtful faces is that of Nielson and Hamann 1991,
"The Asymptotic Decider", with one answer for all.

Convention: corner c has offsets x = c // 4, y = c // 2 % 2, z = c % 2; bit c of a case says that it lies inside.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import product

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Edge = tuple[int, int]
"""Two neighbouring corners, the lower first."""
Triangle = tuple[int, int, int]

CORNERS: Integers = np.array(list(product((0, 1), repeat=3)))
"""(8, 3) offsets of the corners."""

_AXIS_BIT = (4, 2, 1)
_EDGES: list[Edge] = [(c, c | bit) for bit in _AXIS_BIT for c in range(8) if not c & bit]

EDGE_ENDS: Integers = np.array(_EDGES)
"""(12, 2) corners of each edge, the lower first; edges 4 k to 4 k + 3 run along axis k."""


@cache
def cell_triangles() -> tuple[Integers, Integers, Integers]:
    """Return (256,) first triangle of a case, (256,) their number, and (t, 3) edges that the triangles' corners lie on.

    Triangles are counter-clockwise seen from outside.

    >>> first, counts, triangles = cell_triangles()
    >>> case = 0b00000001  # the corner at the origin alone lies inside: one triangle cuts it off
    >>> triangles[first[case] : first[case] + counts[case]].tolist()
    [[4, 8, 0]]
    """
    by_case = [_triangulate_case(case) for case in range(256)]
    counts = np.array([len(triangles) for triangles in by_case])
    flat = np.array([triangle for triangles in by_case for triangle in triangles])
    return np.cumsum(counts) - counts, counts, flat


def _triangulate_case(case: int) -> list[Triangle]:
    after: dict[int, int] = {}
    for face in _FACES:
        after.update(_pieces(case, face))
    triangles: list[Triangle] = []
    while after:
        loop = [next(iter(after))]
        while (edge := after.pop(loop[-1])) != loop[0]:
            loop.append(edge)
        triangles += next(cut for cut in _cuts(loop))
    return triangles


def _pieces(case: int, face: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Yield (edge, next edge) of the surface on a face whose corners are given in turn.

    Each run of inside corners is cut off by one piece, from the edge before it to the edge behind it. The two faces at
    an edge go along it in opposite directions, so that each piece ends where the next begins.
    """
    inside = [bool(case >> corner & 1) for corner in face]
    for i in range(4):
        if inside[i] and not inside[i - 1]:
            length = next(k for k in range(1, 5) if not inside[(i + k) % 4])
            entered = _edge_between(face[i - 1], face[i])
            left = _edge_between(face[(i + length - 1) % 4], face[(i + length) % 4])
            yield entered, left


def _cuts(loop: list[int]) -> Iterator[list[Triangle]]:
    """Yield the ways to cut a loop into triangles without a cut in a face of the cell."""
    if len(loop) == 3:
        yield [(loop[0], loop[1], loop[2])]
        return
    first, last = loop[0], loop[-1]
    for k in range(1, len(loop) - 1):  # the triangle on the edge from last to first, with the corner k
        left, right = loop[: k + 1], loop[k:]
        if any(len(part) > 2 and _share_face(part[0], part[-1]) for part in (left, right)):
            continue
        for one in _cuts(left) if len(left) > 2 else iter([[]]):
            for other in _cuts(right) if len(right) > 2 else iter([[]]):
                yield [(first, loop[k], last), *one, *other]


def _share_face(a: int, b: int) -> bool:
    corners = {*_EDGES[a], *_EDGES[b]}
    return any(corners <= set(face) for face in _FACES)


def _edge_between(a: int, b: int) -> int:
    return _EDGES.index((min(a, b), max(a, b)))


def _faces() -> list[tuple[int, ...]]:
    """Return the corners of the six faces, counter-clockwise seen from outside the cell."""
    faces = []
    for axis in range(3):
        u, v = _AXIS_BIT[(axis + 1) % 3], _AXIS_BIT[(axis + 2) % 3]
        upper = [0, u, u | v, v]  # counter-clockwise seen from the positive end of the axis
        faces.append(tuple(corner | _AXIS_BIT[axis] for corner in upper))
        faces.append(tuple(reversed(upper)))
    return faces


_FACES = _faces()
