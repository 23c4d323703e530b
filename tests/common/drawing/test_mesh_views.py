import numpy as np
import trimesh

from services.common.drawing.mesh_views import GROUND, SIX_VIEWS, render_views


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


def test_empty_mesh_is_an_empty_picture() -> None:
    views = render_views(np.zeros((0, 3)), np.zeros((0, 3), np.int32), None, side=32)
    assert len(views) == 6
    assert all((view == GROUND).all() for view in views)
