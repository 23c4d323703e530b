"""The band: as wide as the mask is unsure."""

from __future__ import annotations

import numpy as np
import pytest

from services.orchestrator.cutout.trimap import (
    BACKGROUND,
    FOREGROUND,
    UNKNOWN,
    ClassicTrimapOptions,
    TrimapOptions,
    build_classic_trimap,
    build_trimap,
    decide,
)


def band_width(trimap):
    """Pixels of the band on the middle row, one side."""
    row = trimap[trimap.shape[0] // 2]
    return int((row[: row.size // 2] == UNKNOWN).sum())


def test_crisp_edge_gets_a_narrow_band_and_a_soft_one_a_wide_band(disc_alpha):
    widths = [band_width(build_trimap(disc_alpha((200, 200), 60, s), TrimapOptions())) for s in (1, 6, 20)]
    assert 2 <= widths[0] <= 5
    assert widths[0] < widths[1] < widths[2]
    assert 20 < widths[2] < 45


def test_band_encloses_the_soft_edge(disc_alpha):
    alpha = disc_alpha((200, 200), 60, 10)
    trimap = build_trimap(alpha, TrimapOptions())
    assert (alpha[trimap == FOREGROUND] > 0.95).all()
    assert (alpha[trimap == BACKGROUND] < 0.05).all()


def test_hard_mask_gets_a_band_on_both_sides_of_its_outline(disc_alpha):
    mask = (disc_alpha((200, 200), 60) > 0.5).astype(np.float32)
    trimap = build_trimap(mask, TrimapOptions())
    assert (mask[trimap == UNKNOWN] == 1).any()
    assert (mask[trimap == UNKNOWN] == 0).any()


def test_missing_classes_are_survived():
    for value, label in ((0.0, BACKGROUND), (1.0, FOREGROUND), (0.5, UNKNOWN)):
        assert (build_trimap(np.full((40, 50), value, np.float32), TrimapOptions()) == label).all()
        assert (build_classic_trimap(np.full((40, 50), value, np.float32), ClassicTrimapOptions()) == label).all()


def test_classic_thresholds_and_erosion_mean_what_they_always_meant():
    alpha = np.zeros((100, 100), np.float32)
    alpha[20:80, 20:80] = 245 / 255
    alpha[40:60, 40:60] = 1.0
    unknown = build_classic_trimap(alpha, ClassicTrimapOptions()) == UNKNOWN
    assert unknown[50].sum() == 18, "a square of ten takes five from one side and four from the other"
    assert (build_classic_trimap(alpha, ClassicTrimapOptions(erode_size=0)) != UNKNOWN).all()
    stricter = build_classic_trimap(alpha, ClassicTrimapOptions(foreground_threshold=250, erode_size=0))
    assert stricter[30, 30] == UNKNOWN
    assert stricter[50, 50] == FOREGROUND


def test_classic_erosion_does_not_start_from_the_border_of_the_picture():
    alpha = np.ones((60, 60), np.float32)
    alpha[:, :20] = 0
    trimap = build_classic_trimap(alpha, ClassicTrimapOptions())
    assert trimap[0, 59] == FOREGROUND
    assert trimap[0, 0] == BACKGROUND


@pytest.mark.parametrize("value", [0.2, 0.8])
def test_decision_leaves_no_band(value):
    assert (decide(np.full((3, 3), value, np.float32)) == (FOREGROUND if value > 0.5 else BACKGROUND)).all()
