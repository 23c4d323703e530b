from __future__ import annotations

import numpy as np
import pytest

from services.mesher.triposr.picture import compose_on_grey, to_network


def test_bare_background_is_the_official_grey() -> None:
    assert set(np.unique(compose_on_grey(np.zeros((4, 4, 4), np.uint8)))) == {127}


def test_full_cover_keeps_colours_and_half_cover_mixes_once() -> None:
    rgba = np.array([[[200, 10, 0, 255], [255, 255, 255, 128]]], np.uint8)
    np.testing.assert_array_equal(compose_on_grey(rgba), [[[200, 10, 0], [191, 191, 191]]])


@pytest.mark.needs_torch
def test_a_picture_of_the_right_size_is_not_touched() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    np.testing.assert_allclose(to_network(rgb, 16)[0].permute(1, 2, 0).numpy(), rgb / 255.0, atol=1e-6)


@pytest.mark.needs_torch
def test_shrinking_does_not_alias() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    inner = to_network(stripes, 16)[0, :, 2:-2, 2:-2].numpy()
    assert np.abs(inner - 0.5).max() < 0.02
