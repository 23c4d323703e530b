"""Depth as colours: near is bright, and nothing breaks it."""

from __future__ import annotations

import numpy as np
import pytest

from services.common.drawing.depth_colours import colour_depth


def test_near_is_brighter_than_far():
    depth = np.tile(np.linspace(0, 1, 50, dtype=np.float32), (4, 1))
    brightness = colour_depth(depth).astype(int).sum(axis=2)[0]
    assert np.all(np.diff(brightness) >= 0)
    assert brightness[-1] > 400
    assert brightness[0] < 60


def test_one_flying_pixel_does_not_take_all_colours():
    depth = np.tile(np.linspace(0, 1, 100, dtype=np.float32), (100, 1))
    wild = depth.copy()
    wild[0, 0] = 1e6
    assert np.abs(colour_depth(wild).astype(int) - colour_depth(depth))[1:].max() <= 12


@pytest.mark.parametrize("depth", [np.full((3, 4), np.nan), np.full((3, 4), 5.0)], ids=["unseen", "constant"])
def test_depth_without_information_is_one_dark_colour(depth):
    colours = colour_depth(depth.astype(np.float32))
    assert colours.shape == (3, 4, 3)
    assert (colours == colours[0, 0]).all()


def test_unseen_pixels_are_as_dark_as_the_farthest():
    depth = np.tile(np.linspace(1, 2, 50, dtype=np.float32), (4, 1))
    depth[2, 25] = np.nan
    colours = colour_depth(depth)
    assert colours[2, 25].astype(int).sum() <= colours[0, 0].astype(int).sum() + 3
