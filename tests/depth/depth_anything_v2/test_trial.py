"""A faster arithmetic must answer as float32 does, or it is not taken."""

from __future__ import annotations

import numpy as np
import pytest

from services.common.errors import StageUnavailable
from services.depth.depth_anything_v2.trial import Faster, error_share, probe, settle

EXACT = np.linspace(0, 5, 100, dtype=np.float32).reshape(10, 10)


class _Engine:
    device = "cpu"

    def __init__(self, dtype: str, off: float = 0.0, answer: np.ndarray = EXACT) -> None:
        self.dtype = dtype
        self._answer = answer + np.float32(5 * off) * (np.arange(100).reshape(10, 10) == 37)

    def infer(self, pictures: np.ndarray) -> np.ndarray:
        return self._answer[None].astype(np.float32)


@pytest.mark.parametrize(("off", "dtype"), [(0.009, "bfloat16"), (0.011, "float32"), (np.nan, "float32")])
def test_the_worst_pixel_decides(off: float, dtype: str) -> None:
    engine, notes = settle(_Engine("float32"), [Faster(lambda: _Engine("bfloat16", off))])
    assert engine.dtype == dtype
    assert ("1.1% of its range" in notes[0]) if off == 0.011 else (bool(notes) is (dtype == "float32"))


def test_the_fastest_that_passes_is_taken_and_nothing_is_said() -> None:
    ways = (lambda: _Engine("float16", 0.5), lambda: _Engine("bfloat16", 0.001), lambda: pytest.fail("not needed"))
    engine, notes = settle(_Engine("float32"), [Faster(way) for way in ways])
    assert (engine.dtype, notes) == ("bfloat16", ())


def test_a_candidate_may_have_a_limit_of_its_own() -> None:
    engine, notes = settle(_Engine("float32"), [Faster(lambda: _Engine("bfloat16", 0.009), max_error=0.005)])
    assert engine.dtype == "float32"
    assert "at most 0.5%" in notes[0]


def test_an_arithmetic_that_the_device_does_not_know_is_left() -> None:
    def fail() -> _Engine:
        raise RuntimeError("not implemented for Half")

    engine, notes = settle(_Engine("float32"), [Faster(fail)])
    assert engine.dtype == "float32"
    assert "RuntimeError" in notes[0]


@pytest.mark.parametrize("answer", [np.zeros((10, 10)), np.full((10, 10), np.nan), np.where(EXACT > 4, np.inf, EXACT)])
def test_a_float32_map_that_is_flat_or_not_finite_means_damaged_weights(answer: np.ndarray) -> None:
    with pytest.raises(StageUnavailable, match="damaged"):
        settle(_Engine("float32", answer=answer), [])


def test_error_is_a_share_of_the_exact_range() -> None:
    assert error_share(EXACT + 1, EXACT) == pytest.approx(0.2)


def test_probe_is_the_same_each_time_and_not_flat() -> None:
    assert probe().shape == (1, 3, 266, 350)
    np.testing.assert_array_equal(probe(), probe())
    assert probe().std() > 0.5
