import numpy as np

from services.common.drawing.rasteriser import rasterise


def test_nearer_of_two_triangles_is_seen() -> None:
    screen = np.array([[0, 0], [20, 0], [0, 20]] * 2, np.float32)
    depth = np.array([0, 0, 0, 1, 1, 1], np.float32)
    faces = np.array([[0, 1, 2], [3, 4, 5]], np.int32)
    face, weights, _ = rasterise(screen, depth, faces, 20)
    assert set(face.tolist()) == {1}
    assert np.allclose(weights.sum(axis=1), 1, atol=1e-5)


def test_triangles_larger_than_the_picture_are_clipped_to_it() -> None:
    screen = np.array([[-500, -500], [900, -500], [-500, 900]], np.float32)
    _, _, pixel = rasterise(screen, np.zeros(3, np.float32), np.array([[0, 1, 2]], np.int32), 16)
    assert len(pixel) == 256
