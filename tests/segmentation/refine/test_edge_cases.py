"""The edge cases of cutting out, drawn by `evaluation.synthetic.edge_cases`, which also writes them for a report."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.synthetic.edge_cases import EdgeCase, draw_edge_cases
from services.segmentation.refine.chain import RefineOptions, refine

CASES = {case.name: case for case in draw_edge_cases()}
PRESETS = ("fast", "balanced", "quality")


def _refine(case: EdgeCase, preset: str = "balanced") -> np.ndarray:
    return refine(case.rgb, case.network, RefineOptions.for_preset(preset)).alpha


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.count_nonzero((a >= 0.5) & (b >= 0.5)) / max(1, np.count_nonzero((a >= 0.5) | (b >= 0.5))))


def _refined_and_raw(name: str, preset: str) -> tuple[float, float]:
    case = CASES[name]
    return _iou(_refine(case, preset), case.truth), _iou(case.network, case.truth)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_subject_of_its_surroundings_colour_is_completed_by_its_shape(preset: str) -> None:
    refined, raw = _refined_and_raw("similar_colour", preset)
    assert raw < 0.7
    assert refined > 0.9


@pytest.mark.parametrize("preset", PRESETS)
def test_a_translucent_bottle_stays_whole(preset: str) -> None:
    assert _refined_and_raw("translucent", preset)[0] > 0.99


@pytest.mark.parametrize("preset", PRESETS)
def test_thin_legs_stay(preset: str) -> None:
    assert _refined_and_raw("thin", preset)[0] > 0.99


@pytest.mark.parametrize("preset", PRESETS)
def test_holes_are_opened_however_small(preset: str) -> None:
    case = CASES["holes"]
    alpha = _refine(case, preset)
    assert alpha[180, 240] < 0.5  # the hub
    assert alpha[180, 150] < 0.5  # the pinhole
    assert _iou(alpha, case.truth) > 0.98


@pytest.mark.parametrize("preset", PRESETS)
def test_a_strong_pattern_before_an_unquiet_ground_is_no_reason_for_doubt(preset: str) -> None:
    refined, raw = _refined_and_raw("texture", preset)
    assert raw < 0.85
    assert refined > 0.98


@pytest.mark.parametrize("preset", PRESETS)
def test_a_subject_cut_by_the_frame_reaches_the_frame(preset: str) -> None:
    case = CASES["touching_frame"]
    alpha = _refine(case, preset)
    assert ((alpha >= 0.5) == (case.truth >= 0.5))[-1].mean() > 0.99
    assert _iou(alpha, case.truth) > 0.98


@pytest.mark.parametrize("preset", PRESETS)
def test_the_less_certain_of_two_subjects_stays(preset: str) -> None:
    assert _refined_and_raw("several", preset)[0] > 0.98


@pytest.mark.parametrize("preset", PRESETS)
def test_a_tiny_subject_keeps_its_shape(preset: str) -> None:
    refined, raw = _refined_and_raw("tiny", preset)
    assert refined > raw - 0.01


@pytest.mark.parametrize("preset", PRESETS)
def test_where_there_is_no_subject_none_is_made_up(preset: str) -> None:
    case = CASES["none"]
    assert np.array_equal(_refine(case, preset), case.network)


def test_edge_cases_are_drawn_the_same_each_time() -> None:
    for case in draw_edge_cases():
        assert np.array_equal(case.rgb, CASES[case.name].rgb)
        assert np.array_equal(case.network, CASES[case.name].network)
