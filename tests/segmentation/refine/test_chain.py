from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from services.common.errors import InvalidImage, InvalidOption
from services.segmentation.refine.chain import RefineOptions, refine

PRESETS = ("fast", "balanced", "quality")
RED, BLUE, GREEN = (200, 50, 40), (40, 70, 200), (60, 160, 60)


def _picture(shape: tuple[int, int], mask: np.ndarray, seed: int = 0) -> np.ndarray:
    """A red subject before a blue background, with a little noise."""
    rgb = np.where(mask[..., None], np.array(RED), np.array(BLUE)).astype(np.float64)
    rgb += np.random.default_rng(seed).normal(0, 6, (*shape, 3))
    return np.clip(rgb, 0, 255).astype(np.uint8)


def _disc(side: int = 300, radius: float = 100) -> np.ndarray:
    y, x = np.mgrid[:side, :side]
    return np.hypot(x - side / 2, y - side / 2) < radius


def _soft(mask: np.ndarray, sigma: float = 2.0) -> np.ndarray:
    return cv2.GaussianBlur(mask.astype(np.float32), (0, 0), sigma)


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.count_nonzero(a & b) / max(1, np.count_nonzero(a | b)))


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_a_mask_without_two_sides_comes_back_as_it_came(preset: str, value: float) -> None:
    alpha = np.full((60, 80), value, dtype=np.float32)
    rgb = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    refined = refine(rgb, alpha, RefineOptions.for_preset(preset))
    assert np.array_equal(refined.alpha, alpha)
    assert refined.notes


@pytest.mark.parametrize("preset", PRESETS)
def test_a_true_mask_stays_true(preset: str) -> None:
    mask = _disc()
    refined = refine(_picture(mask.shape, mask), _soft(mask, 0.7), RefineOptions.for_preset(preset))
    assert _iou(refined.alpha >= 0.5, mask) > 0.995


@pytest.mark.parametrize("preset", PRESETS)
def test_the_hole_of_a_ring_survives(preset: str) -> None:
    ring = _disc() & ~_disc(radius=14)
    refined = refine(_picture(ring.shape, ring), _soft(ring, 1), RefineOptions.for_preset(preset, kernel_size=7))
    assert not (refined.alpha >= 0.5)[_disc(radius=11)].any()


def test_a_small_hole_that_the_mask_half_fills_is_opened_by_colour() -> None:
    ring = _disc() & ~_disc(radius=20)
    alpha = _soft(ring, 1)
    alpha[_disc(radius=20)] = 0.55
    refined = refine(_picture(ring.shape, ring), alpha, RefineOptions.for_preset("balanced"))
    assert (refined.alpha >= 0.5)[_disc(radius=16)].mean() < 0.05


@pytest.mark.parametrize("preset", PRESETS)
def test_noise_pinholes_are_filled(preset: str) -> None:
    mask = _disc()
    alpha = _soft(mask, 1)
    for y, x in ((140, 140), (170, 130), (150, 180)):
        alpha[y : y + 2, x : x + 2] = 0.3
    refined = refine(_picture(mask.shape, mask), alpha, RefineOptions.for_preset(preset))
    assert (refined.alpha >= 0.5)[_disc(radius=90)].all()


@pytest.mark.parametrize("preset", PRESETS)
def test_a_thin_wire_survives(preset: str) -> None:
    mask = _disc(radius=60)
    mask[149:152, 200:290] = True
    refined = refine(_picture(mask.shape, mask), _soft(mask, 0.8), RefineOptions.for_preset(preset, blur_size=7))
    assert (refined.alpha >= 0.5)[150, 210:285].all()


def test_a_region_of_doubt_in_the_subjects_colours_becomes_subject() -> None:
    mask = _disc()
    alpha = _soft(mask)
    alpha[mask & (np.arange(300)[None, :] > 180)] = 0.4
    refined = refine(_picture(mask.shape, mask), alpha, RefineOptions.for_preset("balanced"))
    assert _iou(refined.alpha >= 0.5, mask) > 0.97


def test_a_region_of_doubt_in_the_backgrounds_colours_goes() -> None:
    mask = _disc(radius=70)
    alpha = _soft(mask)
    alpha[20:120, 190:290] = np.maximum(alpha[20:120, 190:290], 0.6)
    refined = refine(_picture(mask.shape, mask), alpha, RefineOptions.for_preset("balanced"))
    assert _iou(refined.alpha >= 0.5, mask) > 0.97


def test_an_island_in_the_backgrounds_colours_goes_only_if_asked() -> None:
    mask = _disc(radius=80)
    alpha = _soft(mask, 1)
    alpha[20:32, 20:32] = 0.75
    rgb = _picture(mask.shape, mask)
    options = {"use_grabcut": False}
    removed = refine(rgb, alpha, RefineOptions.for_preset("balanced", **options))
    kept = refine(rgb, alpha, RefineOptions.for_preset("balanced", remove_small_components=False, **options))
    assert not (removed.alpha[20:32, 20:32] >= 0.5).any()
    assert (removed.alpha >= 0.5).sum() <= (kept.alpha >= 0.5).sum()


def test_a_second_subject_is_kept() -> None:
    mask = np.zeros((300, 300), dtype=bool)
    mask[60:160, 30:130] = mask[150:190, 220:260] = True
    refined = refine(_picture(mask.shape, mask), _soft(mask, 1), RefineOptions.for_preset("balanced"))
    assert (refined.alpha >= 0.5)[155:185, 225:255].all()


def test_doubt_that_colours_cannot_settle_stays_soft() -> None:
    mask = _disc()
    alpha = _soft(mask)
    alpha[_disc(radius=120) & ~_disc(radius=80)] = 0.5
    grey = np.full((300, 300, 3), 128, dtype=np.uint8)
    refined = refine(grey, alpha, RefineOptions.for_preset("balanced"))
    ring = refined.alpha[_disc(radius=110) & ~_disc(radius=90)]
    assert ring.min() > 0.2 and ring.max() < 0.9


def test_colour_noise_does_not_move_a_hard_mask() -> None:
    mask = _disc()
    rgb = np.random.default_rng(3).integers(0, 255, (300, 300, 3), dtype=np.uint8)
    refined = refine(rgb, mask.astype(np.float32), RefineOptions.for_preset("balanced"))
    assert _iou(refined.alpha >= 0.5, mask) > 0.99


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (7, 9), (33, 1200), (1100, 900)])
def test_any_size_comes_back_at_its_size(shape: tuple[int, int]) -> None:
    alpha = np.zeros(shape, dtype=np.float32)
    alpha[shape[0] // 3 : 2 * shape[0] // 3 + 1, shape[1] // 3 : 2 * shape[1] // 3 + 1] = 1
    rgb = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
    refined = refine(rgb, alpha, RefineOptions.for_preset("fast"))
    assert refined.alpha.shape == shape


@settings(max_examples=15, deadline=None)
@given(
    alpha=hnp.arrays(np.float32, (24, 31), elements=st.floats(0, 1, width=32)),
    seed=st.integers(0, 5),
    preset=st.sampled_from(PRESETS),
)
def test_any_mask_gives_a_finite_alpha_in_range_and_inputs_stay_untouched(
    alpha: np.ndarray, seed: int, preset: str
) -> None:
    rgb = np.random.default_rng(seed).integers(0, 255, (24, 31, 3), dtype=np.uint8)
    rgb_before, alpha_before = rgb.copy(), alpha.copy()
    refined = refine(rgb, alpha, RefineOptions.for_preset(preset))
    assert refined.alpha.dtype == np.float32
    assert np.isfinite(refined.alpha).all()
    assert refined.alpha.min() >= 0 and refined.alpha.max() <= 1
    assert np.array_equal(rgb, rgb_before) and np.array_equal(alpha, alpha_before)


def test_nan_in_a_mask_counts_as_background() -> None:
    mask = _disc()
    alpha = _soft(mask)
    alpha[:10, :10] = np.nan
    refined = refine(_picture(mask.shape, mask), alpha, RefineOptions.for_preset("fast"))
    assert refined.alpha[5, 5] == 0


def test_a_mask_made_from_the_colours_alone_is_not_decided_by_them_again() -> None:
    mask = _disc()
    alpha = _soft(mask)
    alpha[mask & (np.arange(300)[None, :] > 180)] = 0.4
    refined = refine(_picture(mask.shape, mask), alpha, RefineOptions.for_preset("quality", from_colours=True))
    assert np.array_equal(refined.alpha, alpha)
    assert "colours alone" in refined.notes[0]


def test_the_same_input_gives_the_same_result() -> None:
    mask = _disc()
    alpha = _soft(mask, 12)
    rgb = _picture(mask.shape, mask)
    first = refine(rgb, alpha, RefineOptions.for_preset("balanced"))
    second = refine(rgb, alpha, RefineOptions.for_preset("balanced"))
    assert np.array_equal(first.alpha, second.alpha)


def test_sizes_that_differ_are_refused() -> None:
    with pytest.raises(InvalidImage, match="20 × 10"):
        refine(np.zeros((30, 20, 3), np.uint8), np.zeros((10, 20), np.float32), RefineOptions())


@pytest.mark.parametrize("overrides", [{"working_side": 5000}, {"sharpness": 3}])
def test_an_option_out_of_range_is_named(overrides: dict[str, int]) -> None:
    with pytest.raises(InvalidOption) as error:
        RefineOptions.for_preset("balanced", **overrides)
    assert error.value.field == next(iter(overrides))


def test_an_unknown_preset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidOption, match="fast, balanced, quality"):
        RefineOptions.for_preset("best")


def test_fast_has_no_grabcut_and_overrides_win() -> None:
    assert not RefineOptions.for_preset("fast").use_grabcut
    assert RefineOptions.for_preset("fast", use_grabcut=True).use_grabcut
