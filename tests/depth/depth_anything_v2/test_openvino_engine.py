from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from services.depth.depth_anything_v2.config import Config
from services.depth.depth_anything_v2.graph import build_graphs
from services.depth.depth_anything_v2.openvino_engine import OpenVinoEngine

Tensors = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def engine(tiny: Config, tiny_weights: Tensors) -> OpenVinoEngine:
    return OpenVinoEngine(build_graphs(tiny_weights, tiny), threads=2)


def _picture(seed: int, height: int = 70, width: int = 42) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((1, 3, height, width)).astype(np.float32)


def test_many_sizes_one_after_the_other_do_not_mix(engine: OpenVinoEngine) -> None:
    first = engine.infer(_picture(0))
    for side in range(14, 14 * 14, 14):
        assert engine.infer(_picture(1, side, 28)).shape == (1, side, 28)
    np.testing.assert_array_equal(engine.infer(_picture(0)), first)


def test_threads_get_their_own_answers(engine: OpenVinoEngine) -> None:
    pictures = [_picture(i, 14 * (1 + i % 3)) for i in range(12)]
    wanted = [engine.infer(picture) for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        for got, want in zip(pool.map(engine.infer, pictures), wanted, strict=True):
            np.testing.assert_allclose(got, want, atol=1e-5)


def test_each_picture_of_a_batch_is_answered_as_if_alone(engine: OpenVinoEngine) -> None:
    pictures = [_picture(i) for i in range(3)]
    together = engine.infer(np.concatenate(pictures))
    assert together.shape == (3, 70, 42)
    for map_, picture in zip(together, pictures, strict=True):
        np.testing.assert_allclose(map_, engine.infer(picture)[0], atol=1e-5)


def test_answer_does_not_change_with_the_next_picture(engine: OpenVinoEngine) -> None:
    answer = engine.infer(_picture(0))
    kept = answer.copy()
    engine.infer(_picture(1))
    np.testing.assert_array_equal(answer, kept)


@pytest.mark.needs_bfloat16
def test_float32_is_exact_on_any_cpu_and_bfloat16_is_asked_for(tiny: Config, tiny_weights: Tensors) -> None:
    graphs = build_graphs(tiny_weights, tiny)
    exact, fast = OpenVinoEngine(graphs, 1), OpenVinoEngine(graphs, 1, "bfloat16")
    whole = OpenVinoEngine(graphs, 1, "bfloat16", "bfloat16")
    difference, more = (np.abs(exact.infer(_picture(2)) - one.infer(_picture(2))).max() for one in (fast, whole))
    assert (exact.dtype, fast.dtype) == ("float32", "bfloat16")
    assert difference != more, "the head must have its own arithmetic"
    assert 0 < difference < 0.1 * np.ptp(exact.infer(_picture(2)))
