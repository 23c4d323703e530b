"""Answers of the stages, kept for a while: who changes one option of a photo waits only for what it changes.

`CachedSegmentation` and `CachedDepth` stand before the stages and have their methods. Only whole answers are
kept: a refused, late or nonsensical one is asked for again. After a stage has got another model, answers of the old one
are given until they have grown old.

The key is the working image itself, hashed with what the stage was asked, so that equal photos of different callers
share an answer and none can be had without having the photo.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Generic, TypeVar

import numpy as np
from cachetools import TTLCache

from services.common.arrays import RGB, Float
from services.common.telemetry import metrics
from services.orchestrator.stages.stage_protocols import (
    DEPTH,
    SEGMENTATION,
    STANDARD,
    DepthAnswer,
    DepthEstimator,
    Segmented,
    Segmenter,
)
from services.orchestrator.stages.stage_receipts import stage_receipt
from unflat.v1 import depth_pb2, segmentation_pb2
from unflat.v1 import orchestrator_pb2 as pb

T = TypeVar("T", Segmented, DepthAnswer)


class ResultCache(Generic[T]):
    """Answers by key; the least recently used ones go first when the bytes run out.

    Lives in one event loop: every method runs from end to end without giving way.

    Args:
        stage: name for the metrics.
        limit_bytes: of all answers together; 0 keeps nothing.
        ttl_s: an answer older than this is dropped.
        clock: seconds that only grow; another one in tests.
    """

    def __init__(self, stage: str, limit_bytes: int, ttl_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._stage = stage
        self._answers: TTLCache[bytes, T] = TTLCache(limit_bytes, ttl_s, timer=clock, getsizeof=_size_bytes)

    @property
    def size_bytes(self) -> int:
        """Bytes of all arrays that are kept now."""
        return int(self._answers.currsize)

    def find(self, key: bytes) -> T | None:
        """Return an answer that is not too old, or None."""
        answer = self._answers.get(key)
        if answer is not None:
            metrics.CACHE_HITS.labels(self._stage).inc()
        metrics.CACHE_BYTES.labels(self._stage).set(self.size_bytes)
        return answer

    def keep(self, key: bytes, answer: T) -> None:
        """Keep `answer`; its arrays are shared from now on, so nobody may write to them."""
        for array in _arrays_of(answer):
            array.flags.writeable = False
        with contextlib.suppress(ValueError):  # it is larger than the limit
            self._answers[key] = answer
        metrics.CACHE_BYTES.labels(self._stage).set(self.size_bytes)


class CachedSegmentation:
    """Segmentation that answers from a cache what it was asked before.

    Args:
        stage: who is asked otherwise.
        cache: of its answers.
    """

    def __init__(self, stage: Segmenter, cache: ResultCache[Segmented]) -> None:
        self._stage = stage
        self._cache = cache

    async def segment(
        self, rgb: RGB, options: segmentation_pb2.SegmentationOptions, timeout_s: float, *, explain: bool
    ) -> Segmented:
        """Return the masks of a working image.

        Raises:
            UnflatError: what the stage raises.
        """
        key = photo_key(rgb, options.SerializeToString(deterministic=True))
        found = self._cache.find(key)
        if found is not None and (found.raw_alpha is not None or not explain):
            return replace(found, receipt=_cached_receipt(SEGMENTATION, found.receipt))
        fresh = await self._stage.segment(rgb, options, timeout_s, explain=explain)
        self._cache.keep(key, fresh)
        return fresh


class CachedDepth:
    """Depth that answers from a cache what it was asked before.

    Args:
        stage: who is asked otherwise.
        cache: of its answers.
    """

    def __init__(self, stage: DepthEstimator, cache: ResultCache[DepthAnswer]) -> None:
        self._stage = stage
        self._cache = cache

    async def estimate(self, rgb: RGB, timeout_s: float, options: depth_pb2.DepthOptions = STANDARD) -> DepthAnswer:
        """Return the depth of a working image, or why there is none."""
        key = photo_key(rgb, options.SerializeToString(deterministic=True))
        found = self._cache.find(key)
        if found is not None:
            return replace(found, receipt=_cached_receipt(DEPTH, found.receipt))
        fresh = await self._stage.estimate(rgb, timeout_s, options)
        if fresh.depth is not None and fresh.receipt.outcome == pb.OUTCOME_OK:
            self._cache.keep(key, fresh)
        return fresh

    def record_timeout(self) -> None:
        """Pass on that an answer was too slow to be waited for."""
        self._stage.record_timeout()


def photo_key(rgb: RGB, asked: bytes) -> bytes:
    """Return what names one question about one working image; 3 ms for a megapixel."""
    digest = hashlib.blake2b(asked, digest_size=16)
    digest.update(repr(rgb.shape).encode())
    digest.update(np.ascontiguousarray(rgb).data)
    return digest.digest()


def _cached_receipt(stage: str, receipt: pb.StageReceipt) -> pb.StageReceipt:
    """Return the receipt of a cached answer: what made it, and that nothing ran for it this time."""
    answer = stage_receipt(stage, pb.OUTCOME_OK)
    answer.cached = True
    answer.report.CopyFrom(receipt.report)
    answer.report.ClearField("timings")
    return answer


def _arrays_of(answer: Segmented | DepthAnswer) -> list[Float]:
    found = [answer.alpha, answer.raw_alpha] if isinstance(answer, Segmented) else [answer.depth]
    return [array for array in found if array is not None]


def _size_bytes(answer: Segmented | DepthAnswer) -> int:
    return sum(array.nbytes for array in _arrays_of(answer))
