"""Depth for a request: asked for beside segmentation, waited for within a budget. An improvement, never a condition:
whatever goes wrong with the stage is an outcome.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.common.photos.decode_pool import DecodePool
from services.common.photos.decoding import Photo, decode_depth
from services.common.telemetry.logs import get_logger
from services.orchestrator.depth_wait import DepthWait, Product
from services.orchestrator.input_checks.supplied_depth import check_supplied_depth
from services.orchestrator.request_options import RequestOptions
from services.orchestrator.run import Run
from services.orchestrator.stages.stage_protocols import DEPTH, DepthAnswer, DepthEstimator
from services.orchestrator.stages.stage_receipts import no_depth
from services.orchestrator.tasks import end_task
from unflat.v1 import depth_pb2
from unflat.v1 import orchestrator_pb2 as pb

_log = get_logger()


class DepthSource:
    """The caller's depth map, or the stage's.

    Args:
        stage: who estimates depth.
        decoder: decodes maps in processes of their own.
        max_pixels: larger maps are refused.
    """

    def __init__(self, stage: DepthEstimator, decoder: DecodePool, max_pixels: int) -> None:
        self._stage = stage
        self._decoder = decoder
        self._max_pixels = max_pixels
        self._wait = DepthWait()

    async def estimate(self, photo: Photo, timeout_s: float, options: depth_pb2.DepthOptions) -> DepthAnswer:
        """Return what the stage answers; even a defect of ours there is only an outcome."""
        try:
            return await self._stage.estimate(photo.working, timeout_s, options)
        except Exception as defect:  # noqa: BLE001 - depth is an improvement, never a condition
            _log.error("defect", stage=DEPTH, exc_info=defect)
            reason = f"depth failed ({type(defect).__name__}); the log has the trace"
            return no_depth(pb.OUTCOME_UNAVAILABLE, reason)

    @asynccontextmanager
    async def asked(
        self, supplied: bytes, photo: Photo, options: RequestOptions, run: Run
    ) -> AsyncIterator[asyncio.Future[DepthAnswer]]:
        """Ask while the body segments; what is still asked at its end is cancelled.

        Args:
            supplied: the caller's encoded map; empty asks the stage, if `options` want depth.
            photo: decoded.
            options: of the request.
            run: gives the time that is left.
        """
        task = asyncio.ensure_future(self._answer(supplied, photo, options, run.remaining_s()))
        try:
            yield task
        finally:
            await end_task(task)

    async def wait_for(
        self, pending: asyncio.Future[DepthAnswer], product: Product, options: RequestOptions, run: Run
    ) -> DepthAnswer:
        """Return the answer, waiting no longer than the budget, now that segmentation is done.

        Raises:
            InvalidImage: the caller's map cannot be read.
        """
        budget = self._wait.budget(product, options.depth_wait_s, options.estimate, run.remaining_s())
        done, _ = await asyncio.wait([pending], timeout=budget.seconds)
        if done:
            return pending.result()
        if budget.is_usual:
            self._stage.record_timeout()
        return no_depth(pb.OUTCOME_TIMEOUT, f"depth took more than {budget.seconds:.1f} s longer than segmentation")

    async def _answer(self, supplied: bytes, photo: Photo, options: RequestOptions, timeout_s: float) -> DepthAnswer:
        if supplied:
            depth = await self._decoder.run(decode_depth, supplied, self._max_pixels)
            return check_supplied_depth(depth, photo.working)
        if not options.depth:
            return no_depth(pb.OUTCOME_DISABLED, "not asked for")
        answer = await self.estimate(photo, timeout_s, options.estimate)
        self._wait.observe(answer.receipt, options.estimate)
        return answer
