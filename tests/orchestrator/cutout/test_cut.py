"""The whole way from a working-size mask to a cutout at the photo's size."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from services.orchestrator.cutout import foreground, laplacian, upsample
from services.orchestrator.cutout.cut import PRESETS, CutoutOptions, cut_out
from tests.needs import SHARED

pytestmark = pytest.mark.slow

PHOTOS = SHARED / "eval" / "matting"


def sad(alpha, truth):
    return float(np.abs(alpha - truth).sum()) / 1000


@pytest.mark.parametrize("preset", list(PRESETS))
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_cutout_has_the_photos_size_and_depth(composite, disc_alpha, preset, dtype):
    scene = composite(disc_alpha((200, 240), 60, 4), dtype)
    cutout = cut_out(scene.photo, scene.at_working_size(2), PRESETS[preset])
    assert cutout.alpha.shape == (200, 240)
    assert cutout.alpha.dtype == np.float32
    assert cutout.foreground.shape == scene.photo.shape
    assert cutout.foreground.dtype == dtype
    assert 0 <= cutout.alpha.min() <= cutout.alpha.max() <= 1


def test_matting_finds_hairs_that_the_mask_blurs(composite, hair_alpha):
    scene = composite(hair_alpha((320, 320)))
    mask = cv2.GaussianBlur(scene.alpha, (0, 0), 1.0)
    before = sad(cut_out(scene.photo, mask, PRESETS["fast"]).alpha, scene.alpha)
    after = sad(cut_out(scene.photo, mask, CutoutOptions()).alpha, scene.alpha)
    assert after < 0.85 * before, f"SAD {before:.2f} → {after:.2f}"


def test_matting_sharpens_the_edge_of_a_small_blurred_mask(composite, disc_alpha):
    scene = composite(disc_alpha((600, 800), 200, 3))
    mask = cv2.GaussianBlur(scene.at_working_size(4), (0, 0), 1.0)
    before = sad(cut_out(scene.photo, mask, PRESETS["fast"]).alpha, scene.alpha)
    after = sad(cut_out(scene.photo, mask, CutoutOptions()).alpha, scene.alpha)
    assert after < 0.85 * before, f"SAD {before:.2f} → {after:.2f}"


def test_right_mask_is_hardly_changed_by_textured_surroundings(disc_alpha):
    rng = np.random.default_rng(5)
    texture = [cv2.GaussianBlur(rng.uniform(0, 255, (240, 240, 3)).astype(np.float32), (0, 0), 1.0) for _ in range(2)]
    alpha = disc_alpha((240, 240), 80)
    photo = np.rint(texture[0] * alpha[..., None] + texture[1] * (1 - alpha[..., None])).astype(np.uint8)
    cutout = cut_out(photo, alpha, CutoutOptions())
    flipped = float(((cutout.alpha > 0.5) != (alpha > 0.5)).mean())
    assert flipped < 3e-3, f"{flipped:.2%} of the picture changed sides"


def test_ring_keeps_its_hole(composite, disc_alpha):
    scene = composite(disc_alpha((300, 300), 100) - disc_alpha((300, 300), 40))
    cutout = cut_out(scene.photo, scene.at_working_size(3), CutoutOptions())
    assert cutout.alpha[150, 150] == 0
    assert sad(cutout.alpha, scene.alpha) < 0.5


def test_grey_region_stays_what_the_mask_said(composite, disc_alpha):
    scene = composite(disc_alpha((300, 300), 100))
    mask = scene.alpha * np.float32(0.5)
    cutout = cut_out(scene.photo, mask, CutoutOptions())
    assert np.abs(cutout.alpha - mask)[100:200, 100:200].max() < 1e-6


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("adaptive", [True, False])
def test_mask_of_one_value_is_survived(composite, disc_alpha, value, adaptive):
    scene = composite(disc_alpha((80, 100), 20))
    mask = np.full((40, 50), value, np.float32)
    cutout = cut_out(scene.photo, mask, CutoutOptions(adaptive_trimap=adaptive))
    assert np.abs(cutout.alpha - value).max() < 1e-3


def test_classic_recipe_is_there_when_asked_for(composite, disc_alpha):
    scene = composite(disc_alpha((200, 200), 60, 8))
    cutout = cut_out(scene.photo, scene.alpha, CutoutOptions(adaptive_trimap=False, erode_size=20))
    narrow = cut_out(scene.photo, scene.alpha, CutoutOptions(adaptive_trimap=False, erode_size=2))
    assert cutout.trimap is not None
    assert narrow.trimap is not None
    assert (cutout.trimap == 128).sum() > 2 * (narrow.trimap == 128).sum()
    assert sad(cutout.alpha, scene.alpha) < 0.3


def test_options_switch_their_steps_off(composite, disc_alpha):
    scene = composite(disc_alpha((120, 160), 40, 8))
    plain = cut_out(scene.photo, scene.alpha, CutoutOptions(matting=False, estimate_foreground=False))
    assert plain.trimap is None
    assert np.array_equal(plain.alpha, scene.alpha)
    assert np.array_equal(plain.foreground, scene.photo)
    assert plain.foreground is not scene.photo


def test_an_erosion_that_leaves_one_side_nothing_takes_the_plain_mask(composite, disc_alpha):
    scene = composite(disc_alpha((120, 160), 40, 8))
    plain = cut_out(scene.photo, scene.alpha, CutoutOptions(matting=False))
    eroded = cut_out(scene.photo, scene.alpha, CutoutOptions(adaptive_trimap=False, erode_size=255))
    assert np.array_equal(eroded.alpha, plain.alpha)
    assert np.array_equal(eroded.foreground, plain.foreground)


def test_large_photo_in_small_chunks_has_no_seams(composite, disc_alpha, monkeypatch):
    scene = composite(disc_alpha((2000, 3000), 700, 9))
    mask = scene.at_working_size(4)
    whole = cut_out(scene.photo, mask, CutoutOptions())
    assert np.abs(whole.alpha - scene.alpha).mean() < 1e-3
    monkeypatch.setattr(upsample, "PIXELS_A_CHUNK", 5000)
    monkeypatch.setattr(foreground, "PIXELS_A_CHUNK", 3000)
    monkeypatch.setattr(laplacian, "WINDOWS_A_CHUNK", 2000)
    parts = cut_out(scene.photo, mask, CutoutOptions())
    assert np.abs(whole.alpha - parts.alpha).max() < 2 / 255
    assert np.abs(whole.foreground.astype(int) - parts.foreground).max() <= 2


def test_inputs_are_not_written_to(composite, disc_alpha):
    scene = composite(disc_alpha((120, 160), 40, 8))
    photo, mask = scene.photo.copy(), scene.alpha.copy()
    cut_out(photo, mask, CutoutOptions())
    cut_out(photo, mask, replace(CutoutOptions(), adaptive_trimap=False))
    assert np.array_equal(photo, scene.photo)
    assert np.array_equal(mask, scene.alpha)


@pytest.mark.parametrize("adaptive", [True, False])
def test_a_matting_network_decides_the_band_and_nothing_else(composite, disc_alpha, adaptive):
    class Network:
        def matte(self, photo, guess, unknown):
            return np.where(unknown, np.float32(0.25), guess)

    scene = composite(disc_alpha((120, 160), 40, 8))
    options = replace(CutoutOptions(), adaptive_trimap=adaptive, network=Network())
    found = cut_out(scene.photo, scene.alpha, options)
    unknown = found.trimap == 128
    if not adaptive:  # where the band follows the mask's doubt, confidence blends the answer with the mask
        assert np.all(found.alpha[unknown] == np.float32(0.25))
    plain = cut_out(scene.photo, scene.alpha, replace(options, network=None))
    assert np.array_equal(found.alpha[~unknown], plain.alpha[~unknown])
    assert np.abs(found.alpha - plain.alpha)[unknown].mean() > 0.05


@pytest.mark.needs_shared
@pytest.mark.parametrize("path", sorted(PHOTOS.glob("*.jpg")), ids=lambda p: p.stem)
def test_matting_is_not_worse_than_the_network_mask(path):
    photo = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    truth, mask = (
        cv2.imread(str(path.with_suffix(f".{kind}.png")), cv2.IMREAD_GRAYSCALE).astype(np.float32) / np.float32(255)
        for kind in ("alpha", "isnet")
    )
    found = cut_out(photo, mask, CutoutOptions(estimate_foreground=False)).alpha
    before, after = sad(mask, truth), sad(found, truth)
    assert after <= 1.001 * before, f"SAD {before:.2f} → {after:.2f}"
