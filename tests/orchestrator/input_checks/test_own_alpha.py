"""What a caller brought along is judged by what it shows, not by its being there."""

from __future__ import annotations

import numpy as np
import pytest

from services.common.errors import InvalidImage
from services.orchestrator.input_checks.own_alpha import check_polarity, judge_own_alpha


def opaque(dtype=np.uint8):
    return np.full((120, 160), np.iinfo(dtype).max, dtype)


def disc(radius=40, height=120, width=160, centre=(60, 80)):
    y, x = np.mgrid[0:height, 0:width]
    return np.hypot(y - centre[0], x - centre[1]) < radius


def rounded(radius):
    alpha = opaque()
    y, x = np.mgrid[0:120, 0:160]
    dy = np.maximum(0, np.maximum(radius - y, y - (119 - radius)))
    dx = np.maximum(0, np.maximum(radius - x, x - (159 - radius)))
    alpha[np.hypot(dy, dx) > radius] = 0
    return alpha


def photo(seed=1):
    return np.random.default_rng(seed).integers(0, 255, (120, 160, 3), dtype=np.uint8)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_subject_before_nothing_is_a_cut(dtype):
    assert judge_own_alpha(np.where(disc(), np.iinfo(dtype).max, 0).astype(dtype)) == "cut"


def test_soft_and_translucent_subjects_are_cuts():
    assert judge_own_alpha(np.where(disc(), 90, 0).astype(np.uint8)) == "cut"
    assert judge_own_alpha(np.where(disc(), 255, 8).astype(np.uint8)) == "cut"


def test_small_subject_is_a_cut():
    assert judge_own_alpha(np.where(disc(4), 255, 0).astype(np.uint8)) == "cut"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_opaque_alpha_is_no_cut(dtype):
    assert judge_own_alpha(opaque(dtype)) == "opaque"


def test_one_transparent_pixel_is_no_cut():
    alpha = opaque()
    alpha[50, 60] = 0
    assert judge_own_alpha(alpha) == "opaque"


def test_transparent_frame_is_no_cut():
    for width in (1, 5, 20):
        alpha = np.zeros((120, 160), np.uint8)
        alpha[width:-width, width:-width] = 255
        assert judge_own_alpha(alpha) == "opaque", f"frame of {width} px"


@pytest.mark.parametrize("radius", [4, 12, 24])
def test_rounded_corners_are_no_cut(radius):
    assert judge_own_alpha(rounded(radius)) == "opaque"


def test_a_box_shaped_subject_that_stands_free_is_a_cut():
    phone = np.zeros((240, 200), np.uint8)
    phone[60:180, 20:180] = rounded(8)
    assert judge_own_alpha(phone) == "cut"
    book = np.zeros((240, 200), np.uint8)
    book[60:180, 20:180] = 255
    assert judge_own_alpha(book) == "opaque"  # an exact rectangle is a picture with a frame
    book[59, 20:180] = 128
    assert judge_own_alpha(book) == "cut"  # a soft edge was cut by somebody


def test_faint_transparency_is_no_cut():
    alpha = np.random.default_rng(0).integers(245, 256, (120, 160)).astype(np.uint8)
    assert judge_own_alpha(alpha) == "opaque"
    assert judge_own_alpha(np.full((120, 160), 128, np.uint8)) == "opaque"


def test_nothing_visible_is_empty():
    alpha = np.zeros((120, 160), np.uint8)
    assert judge_own_alpha(alpha) == "empty"
    alpha[3, 3] = 255
    assert judge_own_alpha(alpha) == "empty"
    assert judge_own_alpha(np.full((120, 160), 2, np.uint8)) == "empty"


@pytest.mark.parametrize("wrong", [np.zeros((0, 4), np.uint8), np.zeros((4, 4)), np.zeros((4, 4, 1), np.uint8)])
def test_what_is_no_alpha_is_refused(wrong):
    with pytest.raises(InvalidImage):
        judge_own_alpha(wrong)


def test_inverted_mask_is_recognised():
    mask = disc().astype(np.float32)
    assert not check_polarity(mask, photo()).inverted
    judged = check_polarity(1 - mask, photo())
    assert judged.inverted
    assert "100% of the border" in judged.reason


def test_inverted_bust_that_stands_on_the_border_is_recognised():
    bust = disc(30, centre=(50, 80))
    bust[60:, 45:115] = True
    assert check_polarity(1 - bust.astype(np.float32), photo()).inverted


def test_subject_that_touches_or_fills_the_frame_is_not_inverted():
    half = np.zeros((120, 160), np.float32)
    half[:, :90] = 1
    close = disc(95).astype(np.float32)
    corner = disc(80, centre=(119, 0)).astype(np.float32)
    for mask in (half, close, corner, 1 - half):
        assert not check_polarity(mask, photo()).inverted


def test_wreath_before_a_plain_backdrop_is_not_inverted():
    wreath = (~disc(45)).astype(np.float32)
    picture = photo()
    picture[disc(45)] = (250, 250, 250)
    assert not check_polarity(wreath, picture).inverted
    assert check_polarity(wreath, photo()).inverted


def test_mask_of_one_colour_has_no_polarity():
    for value in (0.0, 1.0):
        assert not check_polarity(np.full((120, 160), value, np.float32), photo()).inverted


def test_mask_of_another_size_is_refused():
    with pytest.raises(InvalidImage, match="160 × 120"):
        check_polarity(np.zeros((60, 80), np.float32), photo())
