from __future__ import annotations

import cv2
import numpy as np

from services.segmentation.refine.chain import RefineOptions, refine
from services.segmentation.refine.convexity_defects import STRONGEST, convexity_evidence

SIDE = 300
_Y, _X = np.mgrid[:SIDE, :SIDE]
CUP = (_X > 90) & (_X < 210) & (_Y > 50) & (_Y < 250)
LOST = CUP & (_Y > 150) & (_X < 190)  # its dark lower part
STONE = (_X > 210) & (_X < 290) & (_Y > 180) & (_Y < 250)  # something that stands beside it


def _doubt(subject: np.ndarray, part: np.ndarray, value: float = 0.35) -> np.ndarray:
    alpha = (subject & ~part).astype(np.float32)
    alpha[part] = value
    return cv2.GaussianBlur(alpha, (0, 0), 1.0)


def test_a_part_that_completes_the_subject_speaks_for_itself() -> None:
    evidence = convexity_evidence(_doubt(CUP, LOST), LOST)
    assert evidence[LOST].min() > 0.5
    assert not evidence[~LOST].any()


def test_a_part_that_sticks_out_says_nothing() -> None:
    assert not convexity_evidence(_doubt(CUP, STONE), STONE).any()


def test_a_part_that_touches_nothing_sure_says_nothing() -> None:
    alone = (_X > 10) & (_X < 60) & (_Y > 10) & (_Y < 60)
    assert not convexity_evidence(_doubt(CUP, alone), alone).any()


def test_evidence_is_bounded_and_even_all_over_a_part() -> None:
    nearly_all = CUP & (_X > 110) & (_Y > 70)
    evidence = convexity_evidence(_doubt(CUP, nearly_all), nearly_all)[nearly_all]
    assert evidence.min() == evidence.max() == np.float32(STRONGEST)


def test_a_lost_part_of_colours_never_seen_comes_back() -> None:
    """The lost part shares no colour with the rest, and the background has many."""
    rng = np.random.default_rng(0)
    rgb = cv2.resize(rng.integers(0, 255, (20, 20, 3), dtype=np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
    rgb[CUP] = (230, 230, 225)
    rgb[LOST] = (60, 20, 20)
    refined = refine(rgb, _doubt(CUP, LOST), RefineOptions.for_preset("balanced"))
    assert (refined.alpha >= 0.5)[LOST].mean() > 0.95


def test_a_gap_in_the_backgrounds_colours_stays_open_though_it_fills_a_dent() -> None:
    gap = (_X > 130) & (_X < 170) & (_Y > 150) & (_Y < 250)  # between two legs
    rgb = np.full((SIDE, SIDE, 3), (40, 70, 200), np.uint8)
    rgb[CUP & ~gap] = (200, 50, 40)
    refined = refine(rgb, _doubt(CUP, gap, 0.5), RefineOptions.for_preset("balanced"))
    assert (refined.alpha >= 0.5)[gap].mean() < 0.1
