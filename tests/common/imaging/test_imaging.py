from __future__ import annotations

import numpy as np
import pytest

from services.common.imaging.colour_evidence import LOCAL, colour_evidence, to_lab
from services.common.imaging.edge_aware import smooth_along_edges
from services.common.imaging.log_odds import from_log_odds, to_log_odds
from services.common.imaging.signed_distance import is_crisp, signed_distance, soften
from services.common.imaging.thin_parts import find_thin_parts
from services.common.imaging.working_size import apply_change, shrink_to


def _disc(side: int = 120, radius: float = 40) -> np.ndarray:
    y, x = np.mgrid[:side, :side]
    return np.hypot(x - side / 2, y - side / 2) < radius


def test_log_odds_and_back_is_the_identity_away_from_the_ends() -> None:
    p = np.array([0.1, 0.5, 0.9], dtype=np.float32)
    np.testing.assert_allclose(from_log_odds(to_log_odds(p)), p, atol=1e-6)


def test_signed_distance_is_positive_inside_and_negative_outside() -> None:
    distance = signed_distance(_disc())
    assert distance[60, 60] == pytest.approx(40, abs=1.5)
    assert distance[60, 5] == pytest.approx(-15, abs=1.5)


def test_a_hard_mask_is_crisp_and_its_softened_form_is_not() -> None:
    mask = _disc(300, 100)
    soft = soften(mask.astype(np.float32))
    assert is_crisp(mask.astype(np.float32))
    assert not is_crisp(soft)
    assert np.array_equal(soft >= 0.5, mask)


def test_a_wire_is_thin_and_a_disc_is_not() -> None:
    mask = _disc(400, 80)
    mask[198:201, 280:390] = True
    thin = find_thin_parts(mask)
    assert thin[199, 300:380].all()
    assert not thin[200, 130:200].any()


def test_a_narrow_gap_counts_as_thin() -> None:
    mask = np.zeros((400, 400), dtype=bool)
    mask[100:300, 100:199] = mask[100:300, 201:300] = True
    assert find_thin_parts(mask)[120:280, 200].all()


def test_evidence_has_the_sign_of_the_class_whose_colour_it_is() -> None:
    rgb = np.full((120, 120, 3), (40, 60, 200), dtype=np.uint8)
    subject = _disc()
    rgb[subject] = (210, 60, 40)
    query = np.ones_like(subject)
    evidence = colour_evidence(to_lab(rgb), subject, ~subject, query, whole=LOCAL)
    assert evidence[60, 60] > 1
    assert evidence[5, 5] < -1


def test_evidence_does_not_favour_the_larger_class() -> None:
    rgb = np.full((120, 120, 3), 128, dtype=np.uint8)
    subject = _disc(radius=8)
    evidence = colour_evidence(to_lab(rgb), subject, ~subject, subject, whole=LOCAL)
    assert abs(evidence[60, 60]) < 0.1


def test_evidence_is_zero_when_one_class_is_empty() -> None:
    rgb = np.zeros((20, 20, 3), dtype=np.uint8)
    everywhere = np.ones((20, 20), dtype=bool)
    assert not colour_evidence(to_lab(rgb), ~everywhere, everywhere, everywhere, whole=LOCAL).any()


def test_smoothing_stops_at_a_colour_edge_and_keeps_what_lies_outside_the_zone() -> None:
    rgb = np.zeros((40, 40, 3), dtype=np.uint8)
    rgb[:, 20:] = 255
    values = np.zeros((40, 40), dtype=np.float32)
    values[:, 30:] = 1.0
    zone = np.zeros((40, 40), dtype=bool)
    zone[:, 10:30] = True
    smooth = smooth_along_edges(to_lab(rgb), values, zone, np.full((40, 40), 1e-4, np.float32), iterations=500)
    assert smooth[20, 12:17].max() < 0.2
    assert smooth[20, 24:29].min() > 0.8
    assert np.array_equal(smooth[~zone], values[~zone])


def test_smoothing_an_empty_zone_changes_nothing() -> None:
    values = np.random.default_rng(0).random((8, 9), dtype=np.float32)
    lab = np.zeros((8, 9, 3), dtype=np.uint8)
    assert np.array_equal(smooth_along_edges(lab, values, np.zeros((8, 9), bool), values), values)


def test_shrinking_never_enlarges() -> None:
    values = np.ones((30, 40), dtype=np.float32)
    assert shrink_to(values, 80) is values
    assert shrink_to(values, 20).shape == (15, 20)


def test_pixels_whose_surroundings_did_not_change_come_back_bit_equal() -> None:
    alpha = np.random.default_rng(1).random((200, 300), dtype=np.float32)
    before = shrink_to(alpha, 100)
    after = before.copy()
    after[10:20, 10:20] = 1.0
    changed = apply_change(alpha, before, after)
    assert np.array_equal(changed[100:], alpha[100:])
    assert changed[40:50, 40:50].min() > alpha[40:50, 40:50].min()
