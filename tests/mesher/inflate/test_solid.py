from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import trimesh

from services.common.errors import InvalidImage, InvalidOption, NoSubject
from services.mesher.geometry.camera import Camera
from services.mesher.geometry.mesh import Mesh, is_watertight, label_components, merge_by_position, signed_volume
from services.mesher.inflate import inflate, solid
from services.mesher.quality import silhouette_overlap

Field = npt.NDArray[np.float32]
Cut = Callable[..., npt.NDArray[np.uint8]]
FEW = 12_000


def euler_number(mesh: Mesh) -> int:
    return int(trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).euler_number)


def is_closed(mesh: Mesh) -> bool:
    return is_watertight(merge_by_position(mesh.vertices, mesh.faces)[1])


def overlap(mesh: Mesh, rgba: npt.NDArray[np.uint8], camera: Camera) -> float:
    return silhouette_overlap(mesh, rgba[..., 3].astype(np.float32) / 255, camera)


def test_disc_without_depth_becomes_a_closed_outward_ball(disc: Field, cut: Cut, camera: Camera) -> None:
    mesh = inflate(cut(disc), None, camera, FEW)
    assert is_closed(mesh) and signed_volume(mesh.vertices, mesh.faces) > 0
    radius = np.linalg.norm(mesh.vertices, axis=1)
    assert radius.min() > 0.42 and radius.max() < 0.53, (radius.min(), radius.max())


def test_without_depth_front_and_back_mirror_each_other(disc: Field, cut: Cut) -> None:
    far_away = Camera(20_000.0, 96.0, 96.0)  # perspective would set the two a little apart
    mesh = inflate(cut(np.asarray(disc - 20, np.float32)), None, far_away, FEW)
    assert np.isclose(mesh.vertices[:, 2].max(), -mesh.vertices[:, 2].min())
    r = np.hypot(mesh.vertices[:, 0], mesh.vertices[:, 1])
    for low in (0.0, 0.1, 0.2, 0.3):
        z = mesh.vertices[(r >= low) & (r < low + 0.1), 2]
        assert abs(np.median(z[z > 0]) + np.median(z[z < 0])) < 0.02


def test_hole_in_a_ring_stays_a_hole(ring: Field, cut: Cut, camera: Camera) -> None:
    mesh = inflate(cut(ring), None, camera, FEW)
    assert is_closed(mesh)
    assert euler_number(mesh) == 0


def test_two_parts_stay_two(pixels: tuple[Field, Field], cut: Cut, camera: Camera) -> None:
    u, v = pixels
    both = np.maximum(30 - np.hypot(u - 50, v - 96), 25 - np.hypot(u - 140, v - 90)).astype(np.float32)
    mesh = inflate(cut(both), None, camera, FEW)
    assert label_components(mesh.faces, len(mesh.vertices))[0] == 2


def test_specks_of_the_mask_are_no_parts(disc: Field, cut: Cut, camera: Camera) -> None:
    rgba = cut(np.asarray(disc - 10, np.float32))
    rgba[3:6, 3:6, 3] = 255
    mesh = inflate(rgba, None, camera, FEW)
    assert label_components(mesh.faces, len(mesh.vertices))[0] == 1


@pytest.mark.parametrize("half_width", [0.8, 2.0])
def test_thin_stick_survives_in_one_piece(
    pixels: tuple[Field, Field], cut: Cut, camera: Camera, half_width: float
) -> None:
    u, v = pixels
    head = 30 - np.hypot(u - 96, v - 45)
    stick = np.minimum(half_width - np.abs((u - 96) - 0.2 * (v - 96)), np.minimum(v - 45, 175 - v))
    rgba = cut(np.maximum(head, stick).astype(np.float32))
    mesh = inflate(rgba, None, camera, FEW)
    assert label_components(mesh.faces, len(mesh.vertices))[0] == 1
    assert np.ptp(mesh.vertices[:, 1]) > 1.8 * np.ptp(mesh.vertices[:, 0])


def test_front_follows_depth(disc: Field, ball_depth: Field, cut: Cut, camera: Camera) -> None:
    mesh = inflate(cut(disc), ball_depth, camera, FEW)
    dent = np.where(np.hypot(*np.indices(disc.shape) - 96.0) < 30, np.float32(0.15), np.float32(0))
    dented = inflate(cut(disc), (ball_depth - dent).astype(np.float32), camera, FEW)

    def bulge(m: Mesh) -> float:
        r = np.hypot(m.vertices[:, 0], m.vertices[:, 1])
        front = m.vertices[:, 2] > 0
        return float(
            np.median(m.vertices[front & (r < 0.1), 2]) - np.median(m.vertices[front & (r > 0.25) & (r < 0.35), 2])
        )

    assert bulge(mesh) > 0.03
    assert bulge(dented) < -0.03


def test_mesh_with_depth_is_closed_and_within_its_budget(
    disc: Field, ball_depth: Field, cut: Cut, camera: Camera
) -> None:
    mesh = inflate(cut(disc), ball_depth, camera, FEW)
    assert is_closed(mesh) and len(mesh.faces) <= FEW


@pytest.mark.parametrize("kind", ["constant", "inverted", "unseen", "noise"])
def test_depth_that_says_nothing_changes_nothing(
    disc: Field, ball_depth: Field, cut: Cut, camera: Camera, kind: str
) -> None:
    useless = {
        "constant": np.ones_like(ball_depth),
        "inverted": 2.0 - ball_depth,
        "unseen": np.full_like(ball_depth, np.nan),
        "noise": np.random.default_rng(0).uniform(0.5, 1.0, ball_depth.shape),
    }[kind].astype(np.float32)
    alone = inflate(cut(disc), None, camera, FEW)
    # Sums in threads may differ in their last bit, which simplification can turn into another triangle.
    mesh = inflate(cut(disc), useless, camera, FEW)
    assert len(mesh.faces) == pytest.approx(len(alone.faces), rel=0.01)
    for side in (np.min, np.max, np.mean, np.std):
        np.testing.assert_allclose(side(mesh.vertices, axis=0), side(alone.vertices, axis=0), atol=1e-3)


def test_depth_unseen_beyond_the_photo_is_no_obstacle(disc: Field, ball_depth: Field, cut: Cut, camera: Camera) -> None:
    partial = ball_depth.copy()
    partial[:10] = np.nan
    whole, without = inflate(cut(disc), ball_depth, camera, FEW), inflate(cut(disc), partial, camera, FEW)
    assert np.ptp(without.vertices, axis=0) == pytest.approx(np.ptp(whole.vertices, axis=0), abs=0.02)


def test_scale_of_the_depth_map_does_not_matter(disc: Field, ball_depth: Field, cut: Cut, camera: Camera) -> None:
    one, other = (inflate(cut(disc), (ball_depth * k).astype(np.float32), camera, FEW) for k in (1.0, 400.0))
    assert np.allclose(np.ptp(one.vertices, axis=0), np.ptp(other.vertices, axis=0), atol=1e-3)


@pytest.mark.parametrize("depth_known", [True, False])
def test_outline_of_the_mesh_is_that_of_the_cutout(ring: Field, cut: Cut, camera: Camera, depth_known: bool) -> None:
    depth = np.where(ring > 0, 1.0 + 0.01 * np.sqrt(np.maximum(ring, 0)), 0.5).astype(np.float32)
    rgba = cut(ring)
    assert overlap(inflate(rgba, depth if depth_known else None, camera, FEW), rgba, camera) > 0.96


def test_cutout_beside_the_optical_axis_keeps_its_outline(disc: Field, cut: Cut) -> None:
    camera = Camera(280.0, 400.0, -120.0)
    assert overlap(inflate(cut(disc), None, camera, FEW), cut(disc), camera) > 0.96


def test_no_background_bleeds_into_the_colours(disc: Field, ball_depth: Field, cut: Cut, camera: Camera) -> None:
    colours = inflate(cut(disc), ball_depth, camera, FEW).colours
    assert colours is not None
    assert np.abs(colours.astype(int) - (200, 40, 40)).max() <= 2


def test_inputs_are_not_written_to(disc: Field, ball_depth: Field, cut: Cut, camera: Camera) -> None:
    rgba, depth = cut(disc), ball_depth.copy()
    before = rgba.copy()
    rgba.setflags(write=False)
    depth.setflags(write=False)
    inflate(rgba, depth, camera, FEW)
    assert np.array_equal(rgba, before)


def test_empty_cutout_is_no_subject(camera: Camera) -> None:
    with pytest.raises(NoSubject):
        inflate(np.zeros((64, 64, 4), np.uint8), None, camera)


def test_depth_of_another_size_is_refused(disc: Field, cut: Cut, camera: Camera) -> None:
    with pytest.raises(InvalidImage, match="shape"):
        inflate(cut(disc), np.ones((5, 5), np.float32), camera)


@pytest.mark.parametrize("faces", [10, 500_001])
def test_number_of_faces_out_of_range_is_refused(disc: Field, cut: Cut, camera: Camera, faces: int) -> None:
    with pytest.raises(InvalidOption, match=f"max_faces is {faces}; wanted 2000 to 500000"):
        inflate(cut(disc), None, camera, faces)


def test_subject_that_fills_the_whole_frame_is_closed(cut: Cut, camera: Camera) -> None:
    assert is_closed(inflate(cut(np.full((96, 96), 5, np.float32)), None, Camera(150, 48, 48), FEW))


def test_single_pixel_subject_is_still_a_closed_mesh(cut: Cut, camera: Camera) -> None:
    rgba = np.zeros((64, 64, 4), np.uint8)
    rgba[30, 30] = 255
    assert is_closed(inflate(rgba, None, camera, FEW))


def test_face_budget_holds_even_for_a_net_of_wires(pixels: tuple[Field, Field], cut: Cut, camera: Camera) -> None:
    u, v = pixels
    wires = 1.6 - np.minimum(np.abs((u + 0.3 * v) % 16 - 8), np.abs((v - 0.2 * u) % 18 - 9))
    net = np.minimum(wires, 80 - np.hypot(u - 96, v - 96)).astype(np.float32)
    few = 3_800
    mesh = inflate(cut(net), None, camera, few)
    assert is_closed(mesh) and len(mesh.faces) <= few, len(mesh.faces)
    assert mesh.notes == ()
    assert euler_number(mesh) < -40  # it still is a net


def test_budget_that_cannot_be_kept_is_said(
    disc: Field, cut: Cut, camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(solid, "COARSER_TRIES", 0)
    monkeypatch.setattr(solid, "simplify", lambda vertices, faces, most: (vertices, faces))
    mesh = inflate(cut(disc), None, camera, 2_000)
    assert len(mesh.faces) > 2_000
    assert mesh.notes == (f"left at {len(mesh.faces)} faces: with 2000 it would not stay closed",)


@pytest.mark.parametrize(("wide", "tall", "leans"), [(35.0, 70.0, True), (70.0, 35.0, False), (60.0, 60.0, False)])
def test_top_of_a_tall_subject_leans_towards_the_camera(
    pixels: tuple[Field, Field], cut: Cut, camera: Camera, wide: float, tall: float, leans: bool
) -> None:
    u, v = pixels
    oval = 40 * (1 - np.hypot((u - 96) / wide, (v - 96) / tall)).astype(np.float32)
    mesh = inflate(cut(oval), None, camera, FEW)
    y, z = mesh.vertices[:, 1], mesh.vertices[:, 2]
    top, bottom = z[y > 0.8 * y.max()].mean(), z[y < 0.8 * y.min()].mean()
    rise = y[y > 0.8 * y.max()].mean() - y[y < 0.8 * y.min()].mean()
    degrees = float(np.degrees(np.arctan((top - bottom) / rise)))
    assert degrees == pytest.approx(10.0 if leans else 0.0, abs=2.0)
