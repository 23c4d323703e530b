"""The simulated depth network: order and sky are right, scale and shift are unknown, errors are small and soft."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from evaluation.synthetic.simulate_depth import Options, guided_filter, simulate_depth


@pytest.fixture
def step() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.uint8]]:
    """A near square before a slanted ground below a sky, and its photo."""
    z = np.full((96, 128), np.inf)
    z[30:] = np.linspace(9.0, 3.0, 66)[:, None]
    z[40:80, 50:80] = 2.5
    photo = np.full((96, 128, 3), 120, dtype=np.uint8)
    photo[:30] = 230
    photo[40:80, 50:80] = 30
    return z, photo


def test_nearer_is_larger_and_sky_is_nothing(step: tuple[npt.NDArray[np.float64], npt.NDArray[np.uint8]]) -> None:
    d = simulate_depth(*step, np.random.default_rng(0)).inverse_depth
    assert d.dtype == np.float16
    assert d[60, 65] > d[60, 20] > d[34, 20]
    assert float(d[:24].max()) < 0.05 * float(d.max())


def test_inside_surfaces_the_answer_is_the_inverse_depth_up_to_scale_and_shift(
    step: tuple[npt.NDArray[np.float64], npt.NDArray[np.uint8]],
) -> None:
    d = simulate_depth(*step, np.random.default_rng(1)).inverse_depth.astype(np.float64)
    rows = slice(60, 92)
    correlation = np.corrcoef(d[rows, 10:40].ravel(), 1.0 / step[0][rows, 10:40].ravel())[0, 1]
    assert correlation > 0.97, correlation


def test_the_same_seed_gives_the_same_answer_and_another_seed_another(
    step: tuple[npt.NDArray[np.float64], npt.NDArray[np.uint8]],
) -> None:
    one, same, other = (simulate_depth(*step, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(one.inverse_depth, same.inverse_depth)
    assert one.scale != other.scale


def test_edges_are_softer_than_the_truth(step: tuple[npt.NDArray[np.float64], npt.NDArray[np.uint8]]) -> None:
    d = simulate_depth(*step, np.random.default_rng(5)).inverse_depth.astype(np.float64)
    jump = d[60, 65] - d[60, 30]
    assert np.abs(np.diff(d[60, 40:60])).max() < 0.8 * jump


def test_no_more_steps_than_asked_for(step: tuple[npt.NDArray[np.float64], npt.NDArray[np.uint8]]) -> None:
    coarse = simulate_depth(*step, np.random.default_rng(6), Options(levels=32))
    assert len(np.unique(coarse.inverse_depth)) <= 32 * 1.3


def test_the_inputs_are_not_written_to(step: tuple[npt.NDArray[np.float64], npt.NDArray[np.uint8]]) -> None:
    z, photo = step[0].copy(), step[1].copy()
    simulate_depth(z, photo, np.random.default_rng(7))
    assert np.array_equal(z, step[0])
    assert np.array_equal(photo, step[1])


def test_guided_filter_keeps_an_edge_that_its_guide_has() -> None:
    guide = np.zeros((40, 40))
    guide[:, 20:] = 1.0
    noisy = guide + 0.05 * np.random.default_rng(0).standard_normal(guide.shape)
    smooth = guided_filter(guide, noisy, 4)
    assert smooth[:, 20].mean() - smooth[:, 19].mean() > 0.95
    assert smooth[:, 25:].std() < 0.5 * noisy[:, 25:].std()
