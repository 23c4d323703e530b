"""Answers of the stages, remembered for a while: who changes one option of a photo waits only for what it changes.

`CachedSegmentation` and `CachedDepth` stand before the stages and have their methods. Only whole answers are
kept: a refused, late or nonsensical one is asked for again. A stage that gets another model goes on being quoted until
the answers have grown old.

The key is the working image itself, hashed with what the stage was asked, so that equal photos of different callers
share an answer and none can be had without having the photo.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from services.common.arrays import RGB
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


@dataclass(frozen=True)
class _Kept(Generic[T]):
    answer: T
    size_bytes: int
    since: float


class ResultCache(Generic[T]):
    """Answers by key; the longest unused ones go first when the bytes run out.

    Lives in one event loop: every method runs from end to end without giving way.

    Args:
        stage: name for the metrics.
        limit_bytes: of all answers together; 0 remembers nothing.
        ttl_s: an answer older than this is forgotten.
        clock: seconds that only grow; another one in tests.
    """

    def __init__(self, stage: str, limit_bytes: int, ttl_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._stage = stage
        self._limit_bytes = limit_bytes
        self._ttl_s = ttl_s
        self._clock = clock
        self._kept: OrderedDict[bytes, _Kept[T]] = OrderedDict()
        self._bytes = 0

    @property
    def size_bytes(self) -> int:
        """Bytes of all arrays that are kept now."""
        return self._bytes

    def find(self, key: bytes) -> T | None:
        """Return an answer that is not too old, or None."""
        self._forget_old()
        kept = self._kept.get(key)
        if kept is None:
            return None
        self._kept.move_to_end(key)
        metrics.RECALLED.labels(self._stage).inc()
        return kept.answer

    def keep(self, key: bytes, answer: T, arrays: list[npt.NDArray[np.float32]]) -> None:
        """Remember `answer`, whose weight is its `arrays`; they are shared from now on, so nobody may write to them."""
        size = sum(array.nbytes for array in arrays)
        if size > self._limit_bytes:
            return
        for array in arrays:
            array.flags.writeable = False
        self._drop(key)
        self._kept[key] = _Kept(answer, size, self._clock())
        self._bytes += size
        while self._bytes > self._limit_bytes:
            self._drop(next(iter(self._kept)))
        metrics.RECALL_BYTES.labels(self._stage).set(self._bytes)

    def _forget_old(self) -> None:
        old = [key for key, kept in self._kept.items() if self._clock() - kept.since > self._ttl_s]
        for key in old:
            self._drop(key)
        metrics.RECALL_BYTES.labels(self._stage).set(self._bytes)

    def _drop(self, key: bytes) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._bytes -= kept.size_bytes


class CachedSegmentation:
    """Segmentation that answers from memory what it was asked before.

    Args:
        stage: who is asked otherwise.
        recall: the memory.
    """

    def __init__(self, stage: Segmenter, recall: ResultCache[Segmented]) -> None:
        self._stage = stage
        self._recall = recall

    async def segment(
        self, rgb: RGB, options: segmentation_pb2.RefineOptions, timeout_s: float, *, explain: bool, model: str = ""
    ) -> Segmented:
        """Return the masks of a working image.

        Raises:
            UnflatError: what the stage raises.
        """
        key = photo_key(rgb, options.SerializeToString(deterministic=True) + b"\0" + model.encode())
        found = self._recall.find(key)
        if found is not None and (found.raw_alpha is not None or not explain):
            return replace(found, receipt=_cached_receipt(SEGMENTATION, found.receipt))
        fresh = await self._stage.segment(rgb, options, timeout_s, explain=explain, model=model)
        arrays = [fresh.alpha] if fresh.raw_alpha is None else [fresh.alpha, fresh.raw_alpha]
        self._recall.keep(key, fresh, arrays)
        return fresh


class CachedDepth:
    """Depth that answers from memory what it was asked before.

    Args:
        stage: who is asked otherwise.
        recall: the memory.
    """

    def __init__(self, stage: DepthEstimator, recall: ResultCache[DepthAnswer]) -> None:
        self._stage = stage
        self._recall = recall

    async def estimate(self, rgb: RGB, timeout_s: float, quality: depth_pb2.DepthQuality = STANDARD) -> DepthAnswer:
        """Return the depth of a working image, or why there is none."""
        key = photo_key(rgb, bytes([quality]))
        found = self._recall.find(key)
        if found is not None:
            return replace(found, receipt=_cached_receipt(DEPTH, found.receipt))
        fresh = await self._stage.estimate(rgb, timeout_s, quality)
        if fresh.depth is not None and fresh.receipt.outcome == pb.OUTCOME_OK:
            self._recall.keep(key, fresh, [fresh.depth])
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
