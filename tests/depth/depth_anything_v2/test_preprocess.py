from __future__ import annotations

import numpy as np
import pytest

from services.depth.depth_anything_v2.preprocess import MAX_TOKENS, MEAN, STD, network_size, to_network, to_photo


@pytest.mark.parametrize(
    ("photo", "network"),
    [
        ((518, 518), (518, 518)),
        ((640, 480), (686, 518)),
        ((480, 640), (518, 686)),
        ((1526, 1036), (756, 518)),  # 54.5 patches round to the even 54
        ((300, 200), (784, 518)),
        ((1, 1), (518, 518)),
    ],
)
def test_short_side_becomes_518_and_both_are_multiples_of_14(photo: tuple[int, int], network: tuple[int, int]) -> None:
    size = network_size(*photo)
    assert (size.width_px, size.height_px) == network
    assert not size.bounded
    assert size.note == ""


@pytest.mark.parametrize("photo", [(2048, 512), (100, 3000), (1, 10_000), (10_000, 1), (30_000, 2), (7, 1000)])
def test_long_panorama_stays_within_the_token_bound(photo: tuple[int, int]) -> None:
    size = network_size(*photo)
    rows, columns = size.grid
    assert 1 <= rows * columns <= MAX_TOKENS
    assert size.bounded
    assert f"{size.width_px} × {size.height_px}" in size.note


@pytest.mark.parametrize("photo", [(2048, 512), (1000, 4400), (6000, 1000)])
def test_bounded_size_keeps_the_aspect(photo: tuple[int, int]) -> None:
    size = network_size(*photo)
    assert (size.width_px / size.height_px) / (photo[0] / photo[1]) == pytest.approx(1, abs=0.08)


def test_photo_at_network_size_is_only_normalised() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (28, 42, 3), dtype=np.uint8)
    tensor = to_network(rgb, 42, 28)
    wanted = ((rgb / 255.0 - MEAN) / STD).transpose(2, 0, 1)[None]
    assert tensor.shape == (1, 3, 28, 42)
    assert tensor.dtype == np.float32
    np.testing.assert_allclose(tensor, wanted, atol=1e-6)


def test_cubic_overshoot_is_kept() -> None:
    rgb = np.zeros((14, 14, 3), np.uint8)
    rgb[:, 7:] = 255
    brightest = (1 - np.array(MEAN)) / np.array(STD)
    tensor = to_network(rgb, 42, 42)
    assert (tensor[0].max(axis=(1, 2)) > brightest + 0.05).all()


def test_input_is_not_written_to() -> None:
    rgb = np.full((20, 30, 3), 7, np.uint8)
    to_network(rgb, 42, 28)
    assert (rgb == 7).all()


def test_upsampled_ramp_stays_a_ramp_with_its_corners() -> None:
    ramp = np.add.outer(np.arange(5.0), 10 * np.arange(4.0)).astype(np.float32)
    photo = to_photo(ramp, 31, 17)
    wanted = np.add.outer(np.linspace(0, 4, 17), np.linspace(0, 30, 31))
    assert photo.shape == (17, 31)
    np.testing.assert_allclose(photo, wanted, atol=1e-5)


def test_shrunk_map_keeps_corners_and_range() -> None:
    values = np.random.default_rng(1).random((40, 50)).astype(np.float32)
    photo = to_photo(values, 9, 7)
    np.testing.assert_allclose(photo[[0, 0, -1, -1], [0, -1, 0, -1]], values[[0, 0, -1, -1], [0, -1, 0, -1]], atol=1e-6)
    assert values.min() <= photo.min() <= photo.max() <= values.max()


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1)])
def test_one_pixel_sides_are_answered(size: tuple[int, int]) -> None:
    photo = to_photo(np.arange(12, dtype=np.float32).reshape(3, 4), *size)
    assert photo.shape == size[::-1]
    assert photo[0, 0] == 0
