"""The sparse rows against the textbook formula, window by window."""

from __future__ import annotations

import numpy as np
import pytest

from services.orchestrator.cutout import laplacian
from services.orchestrator.cutout.laplacian import EPSILON, build_band_system


def textbook(photo, epsilon):
    """Levin et al. 2008, equation 12, dense."""
    height, width = photo.shape[:2]
    colours = photo.reshape(-1, 3) / np.iinfo(photo.dtype).max
    full = np.zeros((height * width, height * width))
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            at = np.array([(y + dy) * width + x + dx for dy in (-1, 0, 1) for dx in (-1, 0, 1)])
            d = colours[at] - colours[at].mean(axis=0)
            inverse = np.linalg.inv(d.T @ d / 9 + epsilon / 9 * np.eye(3))
            full[np.ix_(at, at)] += np.eye(9) - (1 + d @ inverse @ d.T) / 9
    return full


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_rows_equal_the_textbook(dtype):
    rng = np.random.default_rng(3)
    photo = rng.integers(0, np.iinfo(dtype).max, (9, 11, 3)).astype(dtype)
    alpha = rng.uniform(0, 1, (9, 11)).astype(np.float32)
    unknown = rng.uniform(0, 1, (9, 11)) < 0.5
    system = build_band_system(photo, alpha, unknown)
    full, u = textbook(photo, EPSILON), unknown.ravel()
    assert np.allclose(system.matrix.toarray(), full[np.ix_(u, u)], atol=2e-4)
    assert np.allclose(system.right_side, -full[np.ix_(u, ~u)] @ alpha.ravel()[~u], atol=1e-3)
    assert np.array_equal(system.flat, np.flatnonzero(u))


def test_affine_function_of_colour_costs_nothing():
    y, x = np.mgrid[0:20, 0:30]
    photo = np.stack([8 * x, 12 * y, 4 * x + 6 * y], axis=2).astype(np.uint8)
    alpha = (0.2 + photo @ np.array([0.5, 0.3, 0.0]) / 255 * 0.9).astype(np.float32)
    unknown = np.zeros((20, 30), bool)
    unknown[5:15, 5:25] = True
    system = build_band_system(photo, alpha, unknown)
    residual = system.matrix @ alpha[unknown] - system.right_side
    assert np.abs(residual).max() < 1e-2


def test_chunks_change_nothing(composite, disc_alpha, monkeypatch):
    scene = composite(disc_alpha((60, 80), 20, 4))
    unknown = (scene.alpha > 0) & (scene.alpha < 1)
    whole = build_band_system(scene.photo, scene.alpha, unknown)
    monkeypatch.setattr(laplacian, "WINDOWS_A_CHUNK", 100)
    parts = build_band_system(scene.photo, scene.alpha, unknown)
    assert np.abs(whole.matrix - parts.matrix).max() < 1e-4
    assert np.allclose(whole.right_side, parts.right_side, atol=1e-4)
