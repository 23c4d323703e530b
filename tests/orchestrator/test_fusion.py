from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from services.common.errors import InvalidImage, InvalidOption
from services.orchestrator.fusion import FusionOptions, fuse
from services.orchestrator.fusion.depth_cut import depth_mask

SIDE = 320
RED, BLUE, GREEN = (200, 50, 40), (40, 70, 200), (70, 160, 60)
AUTO = FusionOptions()


def _disc(x: float = 160, y: float = 160, radius: float = 80) -> np.ndarray:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    return np.hypot(columns - x, rows - y) < radius


def _soft(mask: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.0)


def _paint(*layers: tuple[np.ndarray, tuple[int, int, int]]) -> np.ndarray:
    rgb = np.full((SIDE, SIDE, 3), BLUE, dtype=np.float64)
    for mask, colour in layers:
        rgb[mask] = colour
    rgb += np.random.default_rng(0).normal(0, 5, rgb.shape)
    return np.clip(rgb, 0, 255).astype(np.uint8)


def _depth(*layers: tuple[np.ndarray, float]) -> np.ndarray:
    depth = np.full((SIDE, SIDE), 1.0, dtype=np.float32)
    for mask, value in layers:
        depth[mask] = value
    return cv2.GaussianBlur(depth, (0, 0), 1.5)


def _iou(alpha: np.ndarray, truth: np.ndarray) -> float:
    mask = alpha >= 0.5
    return float(np.count_nonzero(mask & truth) / np.count_nonzero(mask | truth))


def _useless(kind: str, subject: np.ndarray) -> np.ndarray:
    good = _depth((subject, 5.0))
    return {
        "constant": np.full_like(good, 3.0),
        "zero": np.zeros_like(good),
        "nan": np.where(subject, np.float32(np.nan), good),
        "infinite": np.where(subject, np.float32(np.inf), good),
        "inverted": 6.0 - good,
        "elsewhere": _depth((_disc(40, 40, 30), 5.0)),
        "slope": np.repeat(np.linspace(0, 5, SIDE, dtype=np.float32)[:, None], SIDE, axis=1),
    }[kind]


@pytest.mark.parametrize("kind", ["constant", "zero", "nan", "infinite", "inverted", "elsewhere", "slope"])
def test_unreliable_depth_leaves_the_mask_bit_equal(kind: str) -> None:
    subject = _disc()
    alpha = _soft(subject)
    fused = fuse(_paint((subject, RED)), alpha, _useless(kind, subject), AUTO)
    assert np.array_equal(fused.alpha, alpha)
    assert not fused.used_depth
    assert fused.note


@pytest.mark.parametrize("strategy", ["auto", "depth_guided", "intersection", "union", "segmentation"])
def test_without_depth_every_strategy_returns_the_mask(strategy: str) -> None:
    alpha = _soft(_disc())
    fused = fuse(_paint(), alpha, None, FusionOptions(strategy=strategy))  # type: ignore[arg-type]
    assert np.array_equal(fused.alpha, alpha)
    assert fused.depth_mask is None
    assert not fused.used_depth


def test_a_leak_behind_the_subject_is_removed() -> None:
    subject, leak = _disc(), _disc(250, 160, 35)
    mask = subject | leak
    fused = fuse(_paint((subject, RED)), _soft(mask), _depth((subject, 5.0)), AUTO)
    assert _iou(_soft(mask), subject) < 0.9
    assert _iou(fused.alpha, subject) > 0.97
    assert fused.used_depth


def test_another_object_behind_the_subject_is_removed() -> None:
    subject, other = _disc(), _disc(255, 130, 35)
    rgb = _paint((other, GREEN), (subject, RED))
    depth = _depth((other, 2.5), (subject, 5.0))
    fused = fuse(rgb, _soft(subject | other), depth, AUTO)
    assert _iou(fused.alpha, subject) > 0.96


def test_a_window_that_shows_the_background_is_opened() -> None:
    window = _disc(radius=30)
    subject = _disc(radius=100) & ~window
    fused = fuse(_paint((subject, RED)), _soft(subject | window), _depth((subject, 5.0)), AUTO)
    assert (fused.alpha >= 0.5)[_disc(radius=26)].mean() < 0.05


def test_parts_at_other_depths_joined_by_a_thin_arm_stay() -> None:
    head, base = _disc(80, 80, 50), _disc(250, 250, 45)
    arm = np.zeros((SIDE, SIDE), np.uint8)
    cv2.line(arm, (80, 80), (250, 250), 1, 5)
    subject = head | base | (arm > 0)
    depth = _depth((arm > 0, 3.5), (base, 2.5), (head, 5.0))
    fused = fuse(_paint((subject, RED)), _soft(subject), depth, AUTO)
    assert _iou(fused.alpha, subject) > 0.99


def test_a_part_behind_in_the_subjects_colours_stays() -> None:
    front, back = _disc(130, 160, 70), _disc(220, 150, 40)
    subject = front | back
    depth = _depth((back, 3.0), (front, 5.0))
    fused = fuse(_paint((subject, RED)), _soft(subject), depth, AUTO)
    assert _iou(fused.alpha, subject) > 0.99


def test_ground_at_the_subjects_depth_neither_joins_nor_cuts() -> None:
    subject = _disc(160, 200, 70)
    ground = np.mgrid[:SIDE, :SIDE][0] > 200
    rows = np.mgrid[:SIDE, :SIDE][0].astype(np.float32)
    depth = np.where(ground, 3.0 + (rows - 200) / 60, 1.0).astype(np.float32)
    depth[subject] = 4.0
    rgb = _paint((ground, GREEN), (subject, RED))
    fused = fuse(rgb, _soft(subject), cv2.GaussianBlur(depth, (0, 0), 1.5), AUTO)
    assert _iou(fused.alpha, subject) > 0.99


def test_a_wall_close_behind_changes_nothing_that_matters() -> None:
    subject = _disc()
    fused = fuse(_paint((subject, RED)), _soft(subject), _depth((subject, 1.02), (_disc(20, 20, 15), 3.0)), AUTO)
    assert _iou(fused.alpha, subject) > 0.99


def test_something_nearer_than_the_subject_is_not_taken_in() -> None:
    subject, nearer = _disc(), _disc(160, 310, 40)
    rgb = _paint((subject, RED), (nearer, GREEN))
    fused = fuse(rgb, _soft(subject), _depth((subject, 4.0), (nearer, 8.0)), AUTO)
    assert _iou(fused.alpha, subject) > 0.99


def test_a_missing_part_at_the_subjects_depth_and_colour_comes_back() -> None:
    subject = _disc(radius=90)
    bitten = subject & ~_disc(225, 160, 28)
    fused = fuse(_paint((subject, RED)), _soft(bitten), _depth((subject, 5.0)), AUTO)
    assert _iou(fused.alpha, subject) > _iou(_soft(bitten), subject) + 0.02


def test_depth_of_another_size_is_resampled() -> None:
    subject, leak = _disc(), _disc(250, 160, 35)
    depth = cv2.resize(_depth((subject, 5.0)), (200, 150), interpolation=cv2.INTER_AREA)
    fused = fuse(_paint((subject, RED)), _soft(subject | leak), depth, AUTO)
    assert fused.alpha.shape == (SIDE, SIDE)
    assert _iou(fused.alpha, subject) > 0.95


def test_depth_mask_keeps_what_lies_within_n_percent_of_the_nearest() -> None:
    depth = np.repeat(np.linspace(0, 10, 101, dtype=np.float32)[None, :], 40, axis=0)
    near = depth_mask(depth, FusionOptions(depth_percentile=30, morph_kernel_size=1, blur_size=1))
    assert np.array_equal(near[0], depth[0] >= 7.0 - 1e-5)


def test_automatic_percentile_finds_two_groups() -> None:
    subject = _disc()
    near = depth_mask(_depth((subject, 5.0)), FusionOptions(depth_percentile="auto"))
    assert _iou(near.astype(np.float32), subject) > 0.95


@settings(max_examples=20, deadline=None)
@given(
    alpha=hnp.arrays(np.float32, (20, 26), elements=st.floats(0, 1, width=32)),
    depth=hnp.arrays(np.float32, (20, 26), elements=st.floats(0, 100, width=32)),
)
def test_intersection_is_within_the_mask_and_the_mask_within_union(alpha: np.ndarray, depth: np.ndarray) -> None:
    rgb = np.zeros((20, 26, 3), dtype=np.uint8)
    inside = fuse(rgb, alpha, depth, FusionOptions(strategy="intersection")).alpha
    outside = fuse(rgb, alpha, depth, FusionOptions(strategy="union")).alpha
    if np.ptp(depth) > 1e-3:
        assert (inside <= alpha).all()
        assert (alpha <= outside).all()


@settings(max_examples=20, deadline=None)
@given(
    alpha=hnp.arrays(np.float32, (20, 26), elements=st.floats(0, 1, width=32)),
    depth=hnp.arrays(np.float32, (20, 26), elements=st.floats(-1e6, 1e6, width=32)),
    strategy=st.sampled_from(["auto", "depth_guided", "intersection", "union", "segmentation"]),
)
def test_any_mask_and_depth_give_a_finite_alpha_in_range(alpha: np.ndarray, depth: np.ndarray, strategy: str) -> None:
    rgb = np.zeros((20, 26, 3), dtype=np.uint8)
    before = alpha.copy(), depth.copy()
    fused = fuse(rgb, alpha, depth, FusionOptions(strategy=strategy))  # type: ignore[arg-type]
    assert fused.alpha.dtype == np.float32
    assert np.isfinite(fused.alpha).all() and fused.alpha.min() >= 0 and fused.alpha.max() <= 1
    assert 0 <= fused.agreement <= 1 and 0 <= fused.confidence <= 1
    assert np.array_equal(alpha, before[0]) and np.array_equal(depth, before[1])


def test_depth_guided_leaves_sure_pixels_alone() -> None:
    alpha = _soft(_disc())
    fused = fuse(_paint(), alpha, _depth((_disc(100, 100), 5.0)), FusionOptions(strategy="depth_guided"))
    sure = (alpha <= 0.1) | (alpha >= 0.9)
    assert np.array_equal(fused.alpha[sure], alpha[sure])


@pytest.mark.parametrize(
    "wrong",
    [
        {"blur_size": 4},
        {"morph_kernel_size": 0},
    ],
)
def test_an_option_out_of_range_is_named(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidOption) as error:
        FusionOptions(**wrong)  # type: ignore[arg-type]
    assert error.value.field == next(iter(wrong))


def test_sizes_that_differ_are_refused() -> None:
    with pytest.raises(InvalidImage):
        fuse(np.zeros((30, 20, 3), np.uint8), np.zeros((10, 20), np.float32), None, AUTO)
