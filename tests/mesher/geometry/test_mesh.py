import numpy as np

from services.mesher.geometry.mesh import (
    Mesh,
    is_watertight,
    label_components,
    merge_by_position,
    normalise,
    signed_volume,
    vertex_normals,
)

CUBE = np.array([[x, y, z] for x in (0, 2) for y in (0, 1) for z in (0, 1)], dtype=np.float64)
CUBE_FACES = np.array(
    [
        [0, 1, 3],
        [0, 3, 2],
        [4, 6, 7],
        [4, 7, 5],
        [0, 4, 5],
        [0, 5, 1],
        [2, 3, 7],
        [2, 7, 6],
        [0, 2, 6],
        [0, 6, 4],
        [1, 5, 7],
        [1, 7, 3],
    ],
    dtype=np.int32,
)


def test_normalised_mesh_is_centred_with_largest_extent_one() -> None:
    mesh = normalise(Mesh(CUBE + 7.0, CUBE_FACES))
    assert np.allclose(mesh.vertices.max(axis=0), [0.5, 0.25, 0.25])
    assert np.allclose(mesh.vertices.min(axis=0), [-0.5, -0.25, -0.25])


def test_normalised_mesh_has_the_size_asked_for() -> None:
    assert np.isclose(np.ptp(normalise(Mesh(CUBE, CUBE_FACES), 80.0).vertices, axis=0).max(), 80.0)


def test_volume_of_a_box_is_positive_and_exact() -> None:
    assert np.isclose(signed_volume(CUBE, CUBE_FACES), 2.0)


def test_volume_turns_negative_when_faces_look_inward() -> None:
    assert np.isclose(signed_volume(CUBE, CUBE_FACES[:, ::-1]), -2.0)


def test_box_is_watertight_and_is_not_without_a_face() -> None:
    assert is_watertight(CUBE_FACES)
    assert not is_watertight(CUBE_FACES[1:])


def test_one_face_turned_round_is_noticed() -> None:
    faces = CUBE_FACES.copy()
    faces[3] = faces[3, ::-1]
    assert not is_watertight(faces)


def test_triangle_soup_becomes_watertight_when_merged_by_position() -> None:
    soup = CUBE[CUBE_FACES].reshape(-1, 3)
    faces = np.arange(len(soup), dtype=np.int32).reshape(-1, 3)
    assert not is_watertight(faces)
    vertices, merged = merge_by_position(soup, faces)
    assert len(vertices) == 8
    assert is_watertight(merged)


def test_normals_at_the_corners_of_a_box_point_outward() -> None:
    outward = CUBE - CUBE.mean(axis=0)
    assert (np.einsum("ij,ij->i", vertex_normals(CUBE, CUBE_FACES), outward) > 0).all()


def test_two_boxes_are_two_components() -> None:
    count, label = label_components(np.concatenate([CUBE_FACES, CUBE_FACES + 8]).astype(np.int32), 16)
    assert count == 2
    assert label[0] != label[8]
