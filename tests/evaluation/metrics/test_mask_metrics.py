"""Mask metrics on shapes with known answers, and against the shared scorer where it is at hand."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from evaluation.metrics.mask_metrics import find_holes, find_thin, score_mask
from evaluation.synthetic import corruptions
from tests.needs import SHARED

Array = npt.NDArray[np.float64]


def disc(radius: float, x: float = 128, y: float = 96) -> Array:
    yy, xx = np.mgrid[0:192, 0:256]
    return np.asarray(np.clip(radius + 0.5 - np.hypot(xx - x, yy - y), 0, 1))


def ring_with_wire() -> Array:
    mask = disc(50) - disc(20)
    mask[95:97, 178:230] = 1.0
    return mask


def test_equal_masks_are_perfect() -> None:
    found = score_mask(disc(60), disc(60))
    assert (found["iou"], found["boundary_iou"], found["boundary_f"]) == (1, 1, 1)
    assert found["mae"] == found["sad"] == found["gradient"] == found["leak"] == found["missing"] == 0


def test_empty_mask_scores_nothing_and_misses_everything() -> None:
    found = score_mask(disc(60), np.zeros((192, 256)))
    assert (found["iou"], found["boundary_f"], found["missing"], found["leak"]) == (0, 0, 1, 0)


def test_leak_and_missing_are_shares_of_the_subjects_area() -> None:
    truth = np.zeros((100, 100))
    truth[20:60, 20:60] = 1.0
    guess = np.roll(truth, 10, axis=1)
    found = score_mask(truth, guess)
    assert found["leak"] == pytest.approx(0.25)
    assert found["missing"] == pytest.approx(0.25)


def test_boundary_iou_of_nested_squares_is_that_of_their_rims() -> None:
    truth, guess = np.zeros((150, 200)), np.zeros((150, 200))
    truth[20:120, 20:120], guess[21:119, 21:119] = 1.0, 1.0
    rim_t, rim_g = 100**2 - 90**2, 98**2 - 88**2  # 5 px wide: 2 % of a diagonal of 250 px
    both = 98**2 - 90**2
    assert score_mask(truth, guess)["boundary_iou"] == pytest.approx(both / (rim_t + rim_g - both))


def test_boundary_iou_sees_what_iou_forgives() -> None:
    found = score_mask(disc(60), disc(57))
    assert found["boundary_iou"] is not None and found["iou"] is not None
    assert found["boundary_iou"] < found["iou"] - 0.2


def test_filled_hole_is_not_kept() -> None:
    assert score_mask(ring_with_wire(), np.maximum(ring_with_wire(), disc(30)))["holes_kept"] == 0.0


def test_lost_wire_is_not_kept() -> None:
    guess = ring_with_wire()
    guess[:, 190:] = 0.0
    kept = score_mask(ring_with_wire(), guess)["thin_kept"]
    assert kept is not None and kept < 0.3


def test_disc_has_neither_holes_nor_thin_parts() -> None:
    found = score_mask(disc(60), disc(60))
    assert found["holes_kept"] is None and found["thin_kept"] is None
    assert not find_holes(disc(60) >= 0.5).any() and not find_thin(disc(60) >= 0.5).any()


def test_smaller_guess_is_brought_to_the_truths_size() -> None:
    iou = score_mask(disc(60), disc(60)[::2, ::2])["iou"]
    assert iou is not None and iou > 0.97


def test_leak_adds_exactly_the_share_it_names() -> None:
    alpha = disc(50).astype(np.float32)
    found = score_mask(alpha.astype(np.float64), corruptions.add_leak(alpha, 0.2, seed=3).astype(np.float64))
    assert found["leak"] == pytest.approx(0.2, abs=0.001) and found["missing"] == 0


def test_removed_part_takes_exactly_the_share_it_names() -> None:
    alpha = disc(50).astype(np.float32)
    found = score_mask(alpha.astype(np.float64), corruptions.remove_part(alpha, 0.2, seed=3).astype(np.float64))
    assert found["missing"] == pytest.approx(0.2, abs=0.001) and found["leak"] == 0


def test_simulated_network_is_the_same_for_the_same_seed_only() -> None:
    alpha = disc(50).astype(np.float32)
    first, again, other = (corruptions.simulate_network(alpha, seed) for seed in (1, 1, 5))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


@pytest.mark.needs_shared
def test_agrees_with_the_shared_scorer() -> None:
    shared = load_scorer("score_masks")
    rng = np.random.default_rng(0)
    truth = ring_with_wire()
    for guess in (disc(48, x=131), np.clip(truth + rng.normal(0, 0.3, truth.shape), 0, 1), disc(60)[::2, ::2]):
        reference = shared.score(truth, guess)
        ours = score_mask(truth, guess)
        assert {name: ours[name] for name in reference} == pytest.approx(reference, abs=2e-5)


def load_scorer(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, SHARED / "eval" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
