"""What the soak makes of its samples."""

from __future__ import annotations

import numpy as np
import pytest

from bench.overload import small_photo
from bench.soak import MOST_GROWTH, Samples

DONE = list(range(20, 2001, 20))


def _samples(resident_mb: np.ndarray) -> Samples:
    return Samples(done=DONE, resident_mb={"mesher": list(resident_mb)})


def test_a_leak_of_fifty_kilobytes_a_request_is_growth():
    assert _samples(200 + 0.05 * np.asarray(DONE)).growth("mesher") == pytest.approx(0.29, abs=0.02)


def test_what_is_taken_while_warming_up_is_none():
    assert _samples(np.where(np.asarray(DONE) < 400, 100.0, 200.0)).growth("mesher") == pytest.approx(0)


def test_neither_noise_nor_a_decoder_that_is_replaced_is_growth():
    resident = 200 + np.random.default_rng(0).normal(0, 3, len(DONE))
    resident[60] = 90
    assert abs(_samples(resident).growth("mesher")) < MOST_GROWTH


def test_no_two_photos_are_the_same():
    assert len({small_photo(number) for number in range(20)}) == 20
