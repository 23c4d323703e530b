"""Closed-form matting finds the alpha that a scene was made with."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from services.orchestrator.cutout.matting import BALANCED, QUICK, THOROUGH, DataTerm, MattingOptions, matte


def band_of(alpha, grow=4):
    soft = ((alpha > 0) & (alpha < 1)).astype(np.uint8)
    return cv2.dilate(soft, np.ones((2 * grow + 1, 2 * grow + 1), np.uint8)).astype(bool)


def error(found, scene, unknown):
    return float(np.abs(found - scene.alpha)[unknown].mean())


def with_hidden_band(scene, unknown):
    return np.where(unknown, np.float32(0.5), scene.alpha)


@pytest.mark.parametrize("options", [MattingOptions((100, 100)), THOROUGH, BALANCED, QUICK])
def test_soft_edge_is_recovered(composite, disc_alpha, options):
    scene = composite(disc_alpha((200, 240), 60, 16))
    unknown = band_of(scene.alpha)
    found = matte(scene.photo, with_hidden_band(scene, unknown), unknown, None, options)
    assert error(found, scene, unknown) < 0.02
    assert np.array_equal(found[~unknown], scene.alpha[~unknown])


@pytest.mark.parametrize(("options", "limit"), [(THOROUGH, 0.02), (BALANCED, 0.05)])
def test_hairs_are_recovered(composite, hair_alpha, options, limit):
    scene = composite(hair_alpha((200, 200)))
    unknown = band_of(scene.alpha)
    found = matte(scene.photo, with_hidden_band(scene, unknown), unknown, None, options)
    assert error(found, scene, unknown) < limit


def test_hole_with_a_little_known_background_opens_wholly(composite, disc_alpha):
    alpha = disc_alpha((200, 200), 70) - disc_alpha((200, 200), 35)
    scene = composite(alpha)
    unknown = disc_alpha((200, 200), 55) > 0.5
    unknown[96:104, 96:104] = False
    found = matte(scene.photo, with_hidden_band(scene, unknown), unknown, None, THOROUGH)
    assert error(found, scene, unknown) < 0.03


def test_strong_pull_keeps_the_guess(composite, disc_alpha):
    scene = composite(disc_alpha((100, 100), 30, 8))
    unknown = band_of(scene.alpha)
    guess = np.where(unknown, np.float32(0.3), scene.alpha)
    found = matte(scene.photo, guess, unknown, DataTerm(base=1e4, sure=0), MattingOptions((60, 60)))
    assert np.abs(found - guess).max() < 0.02


def test_everything_unknown_stays_at_the_guess(composite, disc_alpha):
    scene = composite(disc_alpha((120, 160), 40, 8))
    unknown = np.ones((120, 160), bool)
    guess = np.full((120, 160), 0.5, np.float32)
    assert np.abs(matte(scene.photo, guess, unknown, None, BALANCED) - 0.5).max() < 1e-3


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_only_one_class_known_is_survived(composite, disc_alpha, value):
    scene = composite(disc_alpha((120, 160), 40, 8))
    unknown = np.ones((120, 160), bool)
    unknown[:10] = False
    found = matte(scene.photo, np.full((120, 160), value, np.float32), unknown, None, BALANCED)
    assert np.abs(found - value).max() < 0.01


@pytest.mark.parametrize("shape", [(1, 1), (2, 40), (3, 3), (5, 90), (33, 31)])
def test_tiny_pictures_are_survived(shape):
    photo = np.random.default_rng(0).integers(0, 255, (*shape, 3)).astype(np.uint8)
    found = matte(photo, np.full(shape, 0.5, np.float32), np.ones(shape, bool), None, BALANCED)
    assert found.shape == shape
    assert np.isfinite(found).all()


def test_flat_colour_is_survived():
    photo = np.full((80, 80, 3), 128, np.uint8)
    guess = np.zeros((80, 80), np.float32)
    guess[:, 40:] = 1
    unknown = np.zeros((80, 80), bool)
    unknown[:, 30:50] = True
    found = matte(photo, guess, unknown, None, BALANCED)
    assert np.isfinite(found).all()
    assert found.min() >= 0
    assert found.max() <= 1


def test_budget_of_unknown_pixels_is_kept_and_the_answer_still_good(composite, disc_alpha):
    scene = composite(disc_alpha((200, 240), 60, 16))
    unknown = band_of(scene.alpha)
    options = MattingOptions((100, 100), max_unknown_px=int(unknown.sum()) // 2)
    found = matte(scene.photo, with_hidden_band(scene, unknown), unknown, None, options)
    assert error(found, scene, unknown) < 0.02


def test_inputs_are_not_written_to(composite, disc_alpha):
    scene = composite(disc_alpha((100, 100), 30, 8))
    unknown = band_of(scene.alpha)
    guess = with_hidden_band(scene, unknown)
    before = guess.copy(), unknown.copy(), scene.photo.copy()
    matte(scene.photo, guess, unknown, DataTerm(0.1, 0.1), BALANCED)
    assert np.array_equal(guess, before[0])
    assert np.array_equal(unknown, before[1])
    assert np.array_equal(scene.photo, before[2])
