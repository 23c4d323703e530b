"""Enlarging a mask: the photo's edges, the mask's thin parts."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from services.orchestrator.cutout import upsample as module
from services.orchestrator.cutout.upsample import upsample


def bilinear(alpha, shape):
    return cv2.resize(alpha, shape[::-1], interpolation=cv2.INTER_LINEAR)


@pytest.mark.parametrize("factor", [2, 3, 6])
def test_edges_follow_the_photo(composite, disc_alpha, factor):
    scene = composite(disc_alpha((240, 300), 80))
    small = scene.at_working_size(factor)
    error = np.abs(upsample(small, scene.photo) - scene.alpha).sum()
    plain = np.abs(bilinear(small, (240, 300)) - scene.alpha).sum()
    assert error < 0.4 * plain, f"error {error:.0f}, bilinear {plain:.0f}"


def test_hairs_are_not_lost(composite, hair_alpha):
    scene = composite(hair_alpha((240, 240)))
    large = upsample(scene.at_working_size(3), scene.photo)
    hairs = slice(40, 110)
    kept = large[hairs].sum() / scene.alpha[hairs].sum()
    assert kept == pytest.approx(1.0, abs=0.03), f"{kept:.1%} of the hairs' mass is left"
    error = np.abs(large - scene.alpha)[hairs].sum()
    plain = np.abs(bilinear(scene.at_working_size(3), (240, 240)) - scene.alpha)[hairs].sum()
    assert error < 0.6 * plain, f"error {error:.0f}, bilinear {plain:.0f}"


def test_without_contrast_the_enlarged_mask_stays(disc_alpha):
    alpha = disc_alpha((60, 80), 20)
    flat = np.full((240, 320, 3), 90, np.uint8)
    assert np.abs(upsample(alpha, flat) - bilinear(alpha, (240, 320))).max() < 1e-4


def test_noise_without_an_edge_of_the_mask_changes_nothing():
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3)).astype(np.uint8)
    assert (upsample(np.ones((50, 50), np.float32), noise) == 1).all()


def test_same_size_is_the_same_mask(disc_alpha, composite):
    scene = composite(disc_alpha((60, 80), 20))
    large = upsample(scene.alpha, scene.photo)
    assert np.array_equal(large, scene.alpha)
    assert large is not scene.alpha


def test_larger_mask_is_reduced(disc_alpha, composite):
    large = composite(disc_alpha((120, 160), 40))
    photo = cv2.resize(large.photo, (80, 60), interpolation=cv2.INTER_AREA)
    assert np.abs(upsample(large.alpha, photo) - large.at_working_size(2)).max() < 1e-6


def test_16_bit_gives_the_same_as_8_bit(composite, disc_alpha):
    alpha = disc_alpha((120, 160), 40)
    small = cv2.resize(alpha, (40, 30), interpolation=cv2.INTER_AREA)
    eight, sixteen = (upsample(small, composite(alpha, dtype).photo) for dtype in (np.uint8, np.uint16))
    assert np.abs(eight - sixteen).max() < 0.1
    assert np.abs(eight - sixteen).mean() < 1e-3


def test_chunks_leave_no_seams(composite, disc_alpha, monkeypatch):
    scene = composite(disc_alpha((300, 400), 120, 6.0))
    small = scene.at_working_size(4)
    whole = upsample(small, scene.photo)
    monkeypatch.setattr(module, "PIXELS_A_CHUNK", 256)
    assert np.array_equal(upsample(small, scene.photo), whole)
