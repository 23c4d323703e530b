"""The embedded backend on synthetic pictures with known answers."""

from __future__ import annotations

import numpy as np
import pytest

from services.common.errors import NoSubject
from services.segmentation.backends.grabcut import GrabCut
from services.segmentation.backends.saliency import barrier_from_edges
from services.segmentation.backends.superpixels import mean_over, superpixels


def disc_picture(height=240, width=320, radius=60, noise=6.0):
    y, x = np.mgrid[0:height, 0:width]
    disc = np.hypot(x - width / 2, y - height / 2) < radius
    rgb = np.where(disc[..., None], (190, 60, 40), (90, 120, 150)) + np.random.default_rng(1).normal(
        0, noise, (height, width, 3)
    )
    return np.clip(rgb, 0, 255).astype(np.uint8), disc


def iou(a, b):
    return np.count_nonzero(a & b) / np.count_nonzero(a | b)


def test_disc_before_a_plain_ground_is_found():
    rgb, disc = disc_picture()
    raw = GrabCut().segment(rgb)
    assert raw.alpha.shape == disc.shape and raw.alpha.dtype == np.float32
    assert raw.alpha.min() >= 0 and raw.alpha.max() <= 1
    assert iou(raw.alpha > 0.5, disc) > 0.93


def test_score_is_high_where_a_subject_is_found():
    assert GrabCut().segment(disc_picture()[0]).score > 0.8


def test_subject_cut_by_the_lower_edge_is_found():
    rgb, disc = disc_picture(height=240)
    rgb, disc = rgb[:130], disc[:130]
    assert iou(GrabCut().segment(rgb).alpha > 0.5, disc) > 0.85


def test_large_picture_is_answered_at_its_own_size_with_a_sharp_outline():
    rgb, disc = disc_picture(960, 1280, 240)
    alpha = GrabCut().segment(rgb).alpha
    assert iou(alpha > 0.5, disc) > 0.95


def test_same_picture_gives_the_same_bits():
    rgb, _ = disc_picture()
    assert np.array_equal(GrabCut().segment(rgb).alpha, GrabCut().segment(rgb).alpha)


def test_picture_is_not_written_to():
    rgb, _ = disc_picture()
    before = rgb.copy()
    GrabCut().segment(rgb)
    assert np.array_equal(rgb, before)


def ramp(kind):
    y, x = np.mgrid[0:200, 0:300].astype(float)
    value = {
        "black": 0 * x,
        "white": 0 * x + 255,
        "grey": 0 * x + 128,
        "downward gradient": y,
        "diagonal gradient": (x + y) / 2,
        "vignette": 230 - np.hypot(x - 150, y - 100) * 0.6,
        "fine texture": 127 + 60 * np.sin(x / 2) * np.sin(y / 2),
    }[kind]
    return np.repeat(value[..., None], 3, axis=2).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    "kind", ["black", "white", "grey", "downward gradient", "diagonal gradient", "vignette", "fine texture"]
)
def test_picture_without_a_subject_is_refused(kind):
    with pytest.raises(NoSubject):
        GrabCut().segment(ramp(kind))


def test_noise_is_refused():
    noise = np.random.default_rng(0).integers(0, 256, (72, 96, 3), dtype=np.uint8)
    with pytest.raises(NoSubject):
        GrabCut().segment(noise)


@pytest.mark.parametrize("shape", [(1, 512, 3), (7, 40, 3), (1, 1, 3)])
def test_picture_too_narrow_for_a_subject_is_refused(shape):
    with pytest.raises(NoSubject):
        GrabCut().segment(np.full(shape, 90, np.uint8))


def test_barrier_of_a_step_is_its_height_and_of_the_ground_nothing():
    lab = np.zeros((40, 60, 3), np.float32)
    lab[10:30, 20:40, 0] = 30.0
    barrier = barrier_from_edges(lab)
    assert barrier[20, 30] == pytest.approx(30.0)
    assert barrier[2, 2] == 0.0


def test_barrier_is_not_asked_from_the_lower_edge():
    lab = np.zeros((40, 60, 3), np.float32)
    lab[10:, 20:40, 0] = 30.0
    assert barrier_from_edges(lab)[38, 30] == pytest.approx(30.0)


def test_superpixels_keep_apart_what_differs_in_colour():
    lab = np.zeros((40, 60, 3), np.float32)
    lab[:, 31:, 0] = 80.0
    labels = superpixels(lab, 24)
    assert not set(np.unique(labels[:, :31])) & set(np.unique(labels[:, 31:]))
    assert np.array_equal(mean_over(labels, lab[..., 0]), lab[..., 0])
