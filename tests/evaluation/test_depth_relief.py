"""The figures of following depth: one scene, what is true of every scene."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.depth_relief import FIXED, Outcome, as_markdown, dent, flatten, lumps, measure
from evaluation.sets import open_set


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    item = next(i for i in open_set(FIXED) if i.name == "p0213_teapot")
    other = np.random.default_rng(0).uniform(1, 2, (64, 64)).astype(np.float32)
    return measure(item, other, seed=1, damages=("none", "dent"))


def test_useless_depth_leaves_the_figures(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.depth in ("constant", "inverted"):
            assert outcome.after == outcome.before


def test_exact_depth_never_makes_an_exact_mesh_worse(outcomes: list[Outcome]) -> None:
    found = next(o for o in outcomes if (o.damage, o.depth) == ("none", "exact"))
    assert found.after.chamfer <= found.before.chamfer + 5e-4


def test_exact_depth_mends_a_dent(outcomes: list[Outcome]) -> None:
    found = next(o for o in outcomes if (o.damage, o.depth) == ("dent", "exact"))
    assert found.after.chamfer < found.before.chamfer


def test_table_has_a_row_for_every_damage_and_depth(outcomes: list[Outcome]) -> None:
    assert len(as_markdown(outcomes).splitlines()) == 2 + 2 * 5


@pytest.mark.parametrize("damage", [dent, lumps, flatten])
def test_damage_is_drawn_from_its_seed(damage) -> None:
    points = np.random.default_rng(1).normal(size=(50, 3))
    facing = np.linspace(-1, 1, 50)
    np.testing.assert_array_equal(damage(points, facing, 3), damage(points, facing, 3))
    assert np.abs(damage(points, facing, 3)).max() > 0.01
