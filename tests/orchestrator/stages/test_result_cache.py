"""What the orchestrator keeps of its stages, and what it must not."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from services.common.errors import StageUnavailable
from services.orchestrator.stages.result_cache import CachedDepth, CachedSegmentation, ResultCache, photo_key
from services.orchestrator.stages.stage_protocols import STANDARD
from services.orchestrator.stages.stage_receipts import no_depth
from tests.orchestrator.stand_ins import Bench, Depth, Segmentation, stage_of
from unflat.v1 import depth_pb2, segmentation_pb2
from unflat.v1 import orchestrator_pb2 as pb

PHOTO = np.zeros((96, 96, 3), np.uint8)
OTHER = PHOTO + 1
FAST, QUALITY = (segmentation_pb2.SegmentationOptions(preset=f"PRESET_{name}") for name in ("FAST", "QUALITY"))
MASK_BYTES = 96 * 96 * 4


class _Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return _Clock()


def _segmentation(
    limit_bytes: int = 1 << 20, clock: Any = None
) -> tuple[Segmentation, CachedSegmentation, ResultCache]:
    asked, cache = Segmentation(), ResultCache("segmentation", limit_bytes, 60.0, clock or _Clock())
    return asked, CachedSegmentation(asked, cache), cache


def _ask(stage: CachedSegmentation, *questions: tuple[np.ndarray, Any, bool]) -> list[Any]:
    async def scenario() -> list[Any]:
        return [await stage.segment(rgb, options, 20.0, explain=explain) for rgb, options, explain in questions]

    return asyncio.run(scenario())


def test_the_same_question_is_asked_once_and_the_answer_says_that_it_is_cached():
    asked, stage, _ = _segmentation()
    first, second = _ask(stage, (PHOTO, FAST, False), (PHOTO.copy(), FAST, False))
    assert len(asked.entered) == 1
    assert np.array_equal(first.alpha, second.alpha)
    assert not first.receipt.cached
    assert second.receipt.cached
    assert second.receipt.report.backend == "fake"
    assert second.receipt.total_s == 0


@pytest.mark.parametrize("other", [(OTHER, FAST, False), (PHOTO, QUALITY, False), (PHOTO, FAST, True)], ids=repr)
def test_another_photo_other_options_and_more_than_was_kept_are_asked_for(other):
    asked, stage, _ = _segmentation()
    _ask(stage, (PHOTO, FAST, False), other)
    assert len(asked.entered) == 2


def test_an_explained_answer_serves_who_wants_less():
    asked, stage, _ = _segmentation()
    _ask(stage, (PHOTO, FAST, True), (PHOTO, FAST, False))
    assert len(asked.entered) == 1


def test_a_photo_of_the_same_bytes_in_another_shape_is_another_photo():
    assert photo_key(PHOTO, b"") != photo_key(PHOTO.reshape(48, 192, 3), b"")


def test_an_answer_grows_old(clock):
    asked, stage, cache = _segmentation(clock=clock)
    _ask(stage, (PHOTO, FAST, False))
    clock.now += 59
    _ask(stage, (PHOTO, FAST, False))
    assert len(asked.entered) == 1
    clock.now += 2
    _ask(stage, (PHOTO, FAST, False))
    assert len(asked.entered) == 2
    assert cache.size_bytes == MASK_BYTES


def test_the_longest_unused_answer_goes_when_the_bytes_run_out():
    asked, stage, cache = _segmentation(2 * MASK_BYTES)
    a, b, c = ((PHOTO + i, FAST, False) for i in range(3))
    _ask(stage, a, b, a, c)  # a was used after b
    assert len(asked.entered) == 3
    assert cache.size_bytes == 2 * MASK_BYTES
    _ask(stage, a)
    assert len(asked.entered) == 3
    _ask(stage, b)
    assert len(asked.entered) == 4


def test_a_limit_of_nothing_keeps_nothing():
    asked, stage, cache = _segmentation(0)
    _ask(stage, (PHOTO, FAST, False), (PHOTO, FAST, False))
    assert len(asked.entered) == 2
    assert cache.size_bytes == 0


def test_what_is_shared_cannot_be_written_to():
    _, stage, _ = _segmentation()
    (answer,) = _ask(stage, (PHOTO, FAST, False))
    with pytest.raises(ValueError, match="read-only"):
        answer.alpha[0, 0] = 1


def test_a_failed_answer_is_asked_for_again():
    asked, stage, _ = _segmentation()
    asked.problem = StageUnavailable("gone")
    with pytest.raises(StageUnavailable):
        _ask(stage, (PHOTO, FAST, False))
    asked.problem = None
    _ask(stage, (PHOTO, FAST, False))
    assert len(asked.entered) == 2


@pytest.mark.parametrize("outcome", ["UNAVAILABLE", "TIMEOUT", "INVALID", "DISABLED"])
def test_depth_that_did_not_come_is_asked_for_again(outcome):
    asked = Depth(answer=lambda: no_depth(pb.Outcome.Value(f"OUTCOME_{outcome}"), "so it is"))
    stage = CachedDepth(asked, ResultCache("depth", 1 << 20, 60.0))
    for _ in range(2):
        assert asyncio.run(stage.estimate(PHOTO, 1.0)).depth is None
    assert len(asked.entered) == 2


def test_depth_of_another_quality_is_another_question():
    asked = Depth()
    stage = CachedDepth(asked, ResultCache("depth", 1 << 20, 60.0))
    high = depth_pb2.DepthOptions(depth_quality=depth_pb2.DEPTH_QUALITY_HIGH)
    for options in (STANDARD, high, high):
        asyncio.run(stage.estimate(PHOTO, 1.0, options))
    assert asked.asked == [STANDARD, high]


def test_another_model_is_another_question():
    asked, stage, _ = _segmentation()

    async def ask() -> None:
        for model in ("", "u2netp", "u2netp"):
            options = segmentation_pb2.SegmentationOptions(preset="PRESET_FAST", model=model)
            await stage.segment(PHOTO, options, 20.0, explain=False)

    asyncio.run(ask())
    assert asked.models == ["", "u2netp"]


def test_many_callers_at_once_all_get_the_one_answer():
    asked, stage, cache = _segmentation()

    async def scenario() -> list[Any]:
        return await asyncio.gather(*(stage.segment(PHOTO, FAST, 20.0, explain=False) for _ in range(8)))

    answers = asyncio.run(scenario())
    assert all(np.array_equal(answer.alpha, answers[0].alpha) for answer in answers)
    assert cache.size_bytes == MASK_BYTES
    _ask(stage, (PHOTO, FAST, False))
    assert len(asked.entered) == 8, "nobody waited for another's call, and the next one needs none"


def test_a_timeout_reaches_the_stage():
    asked = Depth()
    CachedDepth(asked, ResultCache("depth", 1 << 20, 60.0)).record_timeout()
    assert asked.timeouts == 1


def test_a_changed_strategy_repeats_neither_segmentation_nor_depth():
    bench, asked, depth = Bench(), Segmentation(), Depth()
    bench.segmentation = CachedSegmentation(asked, ResultCache("segmentation", 1 << 20, 60.0))
    bench.depth = CachedDepth(depth, ResultCache("depth", 1 << 20, 60.0))
    bench.cut()
    receipt = bench.cut(strategy="STRATEGY_INTERSECTION").receipt
    assert (len(asked.entered), len(depth.entered)) == (1, 1)
    assert not receipt.degraded
    for stage in ("segmentation", "depth"):
        assert stage_of(receipt, stage).outcome == pb.OUTCOME_OK
        assert stage_of(receipt, stage).cached
