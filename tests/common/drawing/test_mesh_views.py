import numpy as np
import trimesh

from services.common.drawing.mesh_views import GROUND, SIX_VIEWS, contact_sheet, rasterise, render_views


def box(extents: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    body = trimesh.creation.box(extents)
    return np.asarray(body.vertices), np.asarray(body.faces, np.int32)


def covered(picture: np.ndarray) -> np.ndarray:
    return np.any(picture != GROUND, axis=2)


def test_six_views_have_the_size_asked_for() -> None:
    views = render_views(*box((1, 1, 1)), None, side=64)
    assert len(views) == len(SIX_VIEWS) == 6
    assert all(view.shape == (64, 64, 3) and view.dtype == np.uint8 for view in views)


def test_tall_box_is_drawn_tall_from_the_front_and_square_from_above() -> None:
    views = render_views(*box((1, 4, 1)), None, side=128)
    front, top = covered(views[0]), covered(views[4])
    assert 3.5 < front.any(axis=1).sum() / front.any(axis=0).sum() < 4.5
    assert 0.9 < top.any(axis=1).sum() / top.any(axis=0).sum() < 1.1


def test_box_is_drawn_without_holes() -> None:
    front = covered(render_views(*box((2, 1, 1)), None, side=96)[0])
    rows, columns = np.flatnonzero(front.any(axis=1)), np.flatnonzero(front.any(axis=0))
    assert front[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()


def test_views_show_the_side_they_are_named_after() -> None:
    vertices, faces = box((1, 1, 1))
    body = trimesh.Trimesh(vertices, faces, process=False).subdivide().subdivide()
    vertices, faces = np.asarray(body.vertices), np.asarray(body.faces, np.int32)
    right = np.where(vertices[:, :1] > 0.49, (255, 0, 0), (0, 0, 255)).astype(np.uint8)
    views = render_views(vertices, faces, right, side=64)
    middle = {view.name: picture[32, 32] for view, picture in zip(SIX_VIEWS, views, strict=True)}
    assert middle["right"][0] > middle["right"][2]
    assert all(middle[name][2] > middle[name][0] for name in ("front", "left", "back", "top"))


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


def test_empty_mesh_is_an_empty_picture() -> None:
    views = render_views(np.zeros((0, 3)), np.zeros((0, 3), np.int32), None, side=32)
    assert len(views) == 6
    assert all((view == GROUND).all() for view in views)


def test_contact_sheet_holds_photo_cutout_and_views() -> None:
    photo = np.full((40, 60, 3), (10, 200, 30), np.uint8)
    cutout = np.zeros((50, 50, 4), np.uint8)
    cutout[10:40, 10:40] = (250, 20, 20, 255)
    sheet = contact_sheet(photo, cutout, render_views(*box((1, 1, 1)), None, side=64))
    assert (sheet == (10, 200, 30)).all(axis=2).sum() > 1000
    assert (sheet == (250, 20, 20)).all(axis=2).sum() > 500


def test_transparent_cutout_shows_the_chequerboard() -> None:
    sheet = contact_sheet(
        np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8, 4), np.uint8), [np.zeros((64, 64, 3), np.uint8)]
    )
    assert (sheet == 205).all(axis=2).any()
