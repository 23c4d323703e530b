"""Taking the background out of soft pixels."""

from __future__ import annotations

import numpy as np
import pytest

from services.orchestrator.cutout import foreground as module
from services.orchestrator.cutout.foreground import estimate_foreground


def colour_error(found, scene):
    soft = (scene.alpha > 0.05) & (scene.alpha < 0.95)
    difference = np.abs(found[soft].astype(float) - scene.foreground[soft]) / np.iinfo(found.dtype).max
    return float((difference * scene.alpha[soft][:, None]).mean())


@pytest.mark.parametrize("softness", [3, 20])
def test_foreground_colour_is_recovered(composite, disc_alpha, softness):
    scene = composite(disc_alpha((200, 240), 60, softness))
    before, after = colour_error(scene.photo, scene), colour_error(estimate_foreground(scene.photo, scene.alpha), scene)
    assert after < 0.15 * before, f"error {after:.4f}, photo {before:.4f}"


def test_hairs_have_no_halo_on_any_background(composite, hair_alpha):
    scene = composite(hair_alpha((200, 200)))
    found = estimate_foreground(scene.photo, scene.alpha).astype(float)
    a = scene.alpha[..., None]
    for backdrop in ((0, 0, 0), (255, 255, 255), (0, 255, 0)):
        shown = found * a + (1 - a) * np.array(backdrop)
        wanted = scene.foreground * a + (1 - a) * np.array(backdrop)
        worst = float(np.abs(shown - wanted).max())
        assert worst < 12, f"on {backdrop}: off by {worst:.0f} of 255"


def test_solid_and_far_pixels_keep_the_photo(composite, disc_alpha):
    scene = composite(disc_alpha((200, 240), 60, 6))
    found = estimate_foreground(scene.photo, scene.alpha)
    assert np.array_equal(found[scene.alpha == 1], scene.photo[scene.alpha == 1])
    assert np.array_equal(found[:20], scene.photo[:20])


def test_clear_pixels_beside_the_edge_take_the_subjects_colour(composite, disc_alpha):
    scene = composite(disc_alpha((200, 240), 60, 2))
    found = estimate_foreground(scene.photo, scene.alpha).astype(float)
    rim = np.argmax(scene.alpha[100] > 0) - 1
    assert np.abs(found[100, rim] - scene.foreground[100, rim]).max() < 12, "enlarging the cutout would show a halo"


def test_16_bit_stays_16_bit_and_is_finer_than_8_bit(composite, disc_alpha):
    scene = composite(disc_alpha((200, 240), 60, 20), np.uint16)
    found = estimate_foreground(scene.photo, scene.alpha)
    assert found.dtype == np.uint16
    assert (found[(scene.alpha > 0.1) & (scene.alpha < 0.9)] % 257 != 0).any()
    assert colour_error(found, scene) < 0.15 * colour_error(scene.photo, scene)


def test_hard_mask_changes_nothing(composite, disc_alpha):
    scene = composite((disc_alpha((100, 100), 30) > 0.5).astype(np.float32))
    assert np.array_equal(estimate_foreground(scene.photo, scene.alpha), scene.photo)


def test_all_soft_and_tiny_pictures_are_survived():
    rng = np.random.default_rng(0)
    for shape in ((1, 1), (3, 70), (64, 64)):
        photo = rng.integers(0, 255, (*shape, 3)).astype(np.uint8)
        assert estimate_foreground(photo, np.full(shape, 0.5, np.float32)).shape == photo.shape


def test_chunks_leave_no_seams(composite, disc_alpha, monkeypatch):
    scene = composite(disc_alpha((300, 400), 120, 12))
    whole = estimate_foreground(scene.photo, scene.alpha)
    monkeypatch.setattr(module, "PIXELS_A_CHUNK", 300)
    assert np.array_equal(estimate_foreground(scene.photo, scene.alpha), whole)
