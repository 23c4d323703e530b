from __future__ import annotations

import numpy as np
import pytest

from services.mesher.extract.cell_triangles import CORNERS, EDGE_ENDS, cell_triangles


def _triangles(case: int) -> np.ndarray:
    first, counts, triangles = cell_triangles()
    return triangles[first[case] : first[case] + counts[case]]


def _is_cut(case: int) -> np.ndarray:
    a, b = EDGE_ENDS.T
    return ((case >> a) & 1) != ((case >> b) & 1)


def test_every_cut_edge_of_every_case_carries_the_surface_and_no_other() -> None:
    for case in range(256):
        np.testing.assert_array_equal(np.unique(_triangles(case)), np.flatnonzero(_is_cut(case)))


def test_open_sides_of_a_case_lie_in_faces_and_inner_ones_do_not() -> None:
    for case in range(256):
        sides = {(int(a), int(b)) for t in _triangles(case) for a, b in zip(t, np.roll(t, -1), strict=True)}
        for a, b in sides:
            middle = CORNERS[EDGE_ENDS[[a, b]]].mean(axis=1)
            in_face = ((middle[0] == middle[1]) & ((middle[0] == 0) | (middle[0] == 1))).any()
            assert in_face == ((b, a) not in sides), (case, a, b)


@pytest.mark.parametrize("corner", range(8))
def test_triangle_round_an_inside_corner_looks_away_from_it(corner: int) -> None:
    (triangle,) = _triangles(1 << corner)
    a, b, c = CORNERS[EDGE_ENDS[triangle]].mean(axis=1)
    assert np.cross(b - a, c - a) @ (a - CORNERS[corner]) > 0


def test_opposite_inside_corners_of_a_face_stay_apart() -> None:
    first, counts, _ = cell_triangles()
    assert counts[0b00001001] == 2  # corners 0 and 3 share a face
    assert counts[0] == counts[255] == 0
    assert first[0] == 0
