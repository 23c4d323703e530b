"""The way of a photo, top to bottom:

    decode ─┬─► segmentation ─┐
            └─► depth ────────┴─► fuse ─► cut out ─► frame ─► mesh ─► gate ─► result + receipt

Segmentation and depth run side by side. Depth is an improvement, never a condition: whatever goes wrong with it, the
answer comes without it. A supplied mask, or a photo that is already cut, replaces segmentation; a supplied depth
replaces the depth stage.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from services.common.arrays import Alpha, InverseDepth
from services.common.errors import DeadlineExceeded, NoSubject, StageUnavailable, UnflatError
from services.common.imaging.working_size import resize
from services.common.photos.decode_pool import DecodePool
from services.common.photos.decoding import Photo, decode_depth, decode_mask, decode_photo
from services.common.telemetry import metrics
from services.common.telemetry.logs import get_logger
from services.orchestrator.cutout.cut import Cutout
from services.orchestrator.fusion import Fused, fuse
from services.orchestrator.gate.mesh_gate import (
    Attempt,
    MeshCandidate,
    find_fault,
    first_candidate,
    next_candidate,
    pick_better,
    state_verdict,
)
from services.orchestrator.input_checks.depth_polarity import polarity_warning
from services.orchestrator.input_checks.supplied_mask import SuppliedMask, check_supplied_mask, find_own_alpha
from services.orchestrator.masked_photo import LEAST_COVERAGE, MaskedPhoto, MesherInput, cut, frame
from services.orchestrator.output.debug_pictures import debug_pictures, photo_picture, preview_mask
from services.orchestrator.output.encoding import MEDIA_TYPES, EncodeOptions, encode_cutout, encode_mask
from services.orchestrator.request_options import RequestOptions
from services.orchestrator.run import Run
from services.orchestrator.stages.grpc_stages import (
    DEPTH,
    SEGMENTATION,
    STANDARD,
    DepthAnswer,
    Meshed,
    MeshJob,
    Segmented,
    no_depth,
    stage_receipt,
    why_invalid,
)
from services.orchestrator.stages.stage_protocols import Stages
from unflat.v1 import depth_pb2, mesher_pb2
from unflat.v1 import orchestrator_pb2 as pb

CUTOUT_PATIENCE_S = 2.0
MOST_PATIENCE = 0.5  # share of the time left that depth may take, whatever was asked: the answer comes in time
SECOND_ATTEMPT = 0.8  # share of the time left that it may take: late, it must not cost the first mesh as well
_LEAVE_S = 1.0  # a cancelled call is gone at once; no answer waits longer for it
_log = get_logger()


class Pipeline:
    """Runs requests over the stages.

    Args:
        stages: who segments, estimates depth and meshes.
        decoder: decodes in processes of their own.
        max_pixels: larger photos are refused.
    """

    def __init__(self, stages: Stages, decoder: DecodePool, max_pixels: int) -> None:
        self._stages = stages
        self._decoder = decoder
        self._max_pixels = max_pixels
        self._depth_seconds: deque[float] = deque(maxlen=50)

    async def remove_background(
        self, photo: pb.Photo, wishes: RequestOptions, encode: EncodeOptions, run: Run, *, mask_only: bool, debug: bool
    ) -> pb.CutoutResult:
        """Return the cutout (or the mask alone) as an encoded picture, with the receipt.

        Raises:
            UnflatError: the photo cannot be used, or segmentation fails.
        """
        decoded = await self._decode(photo.file, run)
        with _stating_size(decoded):
            masked = await self._mask(photo, decoded, wishes, run, CUTOUT_PATIENCE_S, explain=debug)
            with run.step("cutout", 0.7):
                cutout = await asyncio.to_thread(cut, masked, wishes.cutout)
        run.receipt.mask.coverage = float(cutout.alpha.mean())
        with run.step("encode", 0.9):
            if mask_only:
                image = await asyncio.to_thread(encode_mask, cutout.alpha, encode)
            else:
                metadata = masked.photo.metadata
                image = await asyncio.to_thread(encode_cutout, cutout.foreground, cutout.alpha, metadata, encode)
            mask = await asyncio.to_thread(encode_mask, cutout.alpha, EncodeOptions()) if encode.with_mask else b""
        return pb.CutoutResult(
            image=image,
            mask=mask,
            media_type=MEDIA_TYPES[encode.format],
            receipt=run.close(),
            debug=_debug(masked) if debug else None,
        )

    async def generate_mesh(
        self, photo: pb.Photo, wishes: RequestOptions, options: mesher_pb2.MeshOptions, run: Run, *, debug: bool
    ) -> pb.MeshResult:
        """Return the mesh and the cutout it was made of, with the receipt.

        Raises:
            UnflatError: the photo cannot be used, or segmentation or the mesher fails.
        """
        decoded = await self._decode(photo.file, run)
        with _stating_size(decoded):
            masked = await self._mask(photo, decoded, wishes, run, None, explain=True)
            way = first_candidate(masked, options)
            cutout, framed = await self._shape(masked, way, wishes, options, run, 0.4)
        png = asyncio.create_task(asyncio.to_thread(_encode_png, masked.photo, cutout))
        try:
            first = Attempt(way, cutout, framed, await self._mesh(framed.job, run, 0.5))
            best = await self._try_again(first, masked, wishes, options, run)
            _describe_mesh(best, run)
            run.progress("orchestrator", "encode", 0.98)
            if best.cutout is not cutout:
                await _end(png)
                png = asyncio.create_task(asyncio.to_thread(_encode_png, masked.photo, best.cutout))
            pictures = [*_debug(replace(masked, alpha=best.way.alpha)), photo_picture(decoded.working)] if debug else []
            return pb.MeshResult(
                mesh=best.meshed.data,
                format=best.meshed.format,
                cutout=await png,
                receipt=run.close(),
                debug=pictures,
            )
        finally:
            await _end(png)

    async def estimate_depth(self, file: bytes, run: Run, quality: depth_pb2.DepthQuality = STANDARD) -> DepthAnswer:
        """Return the depth of a photo at working size.

        Raises:
            UnflatError: the photo cannot be used, or there is no depth; here depth is all that was asked for.
        """
        answer = await self._ask_depth(await self._decode(file, run), run, quality)
        if answer.depth is None:
            kind = DeadlineExceeded if answer.receipt.outcome == pb.OUTCOME_TIMEOUT else StageUnavailable
            raise kind(f"no depth: {answer.receipt.reason}")
        return answer

    # ── the mask ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _decode(self, file: bytes, run: Run) -> Photo:
        with run.step("decode", 0.0):
            photo: Photo = await self._decoder.run(decode_photo, file, self._max_pixels)
        _describe(photo, run)
        return photo

    async def _mask(
        self,
        message: pb.Photo,
        photo: Photo,
        wishes: RequestOptions,
        run: Run,
        patience_s: float | None,
        *,
        explain: bool,
    ) -> MaskedPhoto:
        supplied = await self._supplied_mask(message, photo)
        if supplied is not None and supplied.turned_over:
            run.warn(f"the supplied mask was turned over: {supplied.turned_over}")
        depth_task = asyncio.ensure_future(self._depth(message, photo, wishes, run))
        try:
            if supplied is None:
                run.progress(SEGMENTATION, "segment", 0.1)
                segmented = await self._stages.segmentation.segment(
                    photo.working, wishes.refine, run.remaining_s(), explain=explain, model=wishes.model
                )
            else:
                segmented = _as_segmented(supplied, photo)
            run.record(segmented.receipt)
            answer = await self._wait_for_depth(depth_task, wishes, run, patience_s)
        finally:
            await _end(depth_task)
        run.record(answer.receipt)
        _check_polarity(answer, segmented.alpha, run)
        with run.step("fuse", 0.35):
            fused = await asyncio.to_thread(_fuse, photo, segmented, answer.depth, wishes, supplied is not None)
        run.receipt.mask.MergeFrom(_mask_facts(fused, wishes, supplied))
        run.progress("orchestrator", "mask", 0.4, preview_mask(fused.alpha))
        return MaskedPhoto(
            photo,
            fused.alpha,
            segmented.alpha,
            segmented.raw_alpha,
            answer.depth,
            fused.depth_mask,
            None if supplied is None else supplied.alpha,
        )

    async def _supplied_mask(self, message: pb.Photo, photo: Photo) -> SuppliedMask | None:
        if not message.mask:
            return find_own_alpha(photo)
        return check_supplied_mask(await self._decoder.run(decode_mask, message.mask, self._max_pixels), photo)

    async def _depth(self, message: pb.Photo, photo: Photo, wishes: RequestOptions, run: Run) -> DepthAnswer:
        if message.depth:
            depth = resize(await self._decoder.run(decode_depth, message.depth, self._max_pixels), photo.working.shape)
            reason = why_invalid(depth, photo.working)
            if reason:
                return no_depth(pb.OUTCOME_INVALID, reason)
            return DepthAnswer(depth, stage_receipt(DEPTH, pb.OUTCOME_SUPPLIED, "supplied with the request"))
        if not wishes.depth:
            return no_depth(pb.OUTCOME_DISABLED, "not asked for")
        answer = await self._ask_depth(photo, run, wishes.depth_quality)
        if answer.depth is not None and not answer.receipt.cached and wishes.depth_quality == STANDARD:
            self._depth_seconds.append(answer.receipt.total_s)
        return answer

    async def _ask_depth(self, photo: Photo, run: Run, quality: depth_pb2.DepthQuality) -> DepthAnswer:
        """Return what the depth stage answers; even a defect of ours there is only an outcome."""
        try:
            answer = await self._stages.depth.estimate(photo.working, run.remaining_s(), quality)
            assert isinstance(answer, DepthAnswer)
        except UnflatError as problem:
            late = isinstance(problem, DeadlineExceeded)
            return no_depth(pb.OUTCOME_TIMEOUT if late else pb.OUTCOME_UNAVAILABLE, problem.message)
        except Exception as problem:  # noqa: BLE001 - depth is an improvement, never a condition
            _log.error("defect", stage=DEPTH, exc_info=problem)
            return no_depth(pb.OUTCOME_UNAVAILABLE, f"depth failed ({type(problem).__name__}); the log has the trace")
        return answer

    async def _wait_for_depth(
        self, task: asyncio.Future[DepthAnswer], wishes: RequestOptions, run: Run, patience_s: float | None
    ) -> DepthAnswer:
        """Wait for depth no longer than patience allows, now that segmentation is done."""
        patience = wishes.depth_patience_s if wishes.depth_patience_s is not None else patience_s
        high = wishes.depth_quality != STANDARD
        if high and wishes.depth_patience_s is None:
            patience = np.inf  # who asks for the best is willing to wait
        if patience is None:
            # A mesh is worth waiting for: twice what depth usually takes, at most a quarter of what is left. Never less
            # than for a cutout: a depth that has died is tried again for a while, and should be called UNAVAILABLE.
            usual = float(np.percentile(self._depth_seconds, 95)) if self._depth_seconds else np.inf
            patience = min(max(2 * usual, CUTOUT_PATIENCE_S), 0.25 * run.remaining_s())
        patience = min(patience, MOST_PATIENCE * run.remaining_s())
        done, _ = await asyncio.wait([task], timeout=patience)
        if done:
            return task.result()
        if (
            wishes.depth_patience_s is None and not high
        ):  # what a caller asks beyond the usual says nothing about the stage
            self._stages.depth.record_timeout()
        return no_depth(pb.OUTCOME_TIMEOUT, f"depth took more than {patience:.1f} s longer than segmentation")

    # ── the mesh ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _shape(
        self,
        masked: MaskedPhoto,
        way: MeshCandidate,
        wishes: RequestOptions,
        options: mesher_pb2.MeshOptions,
        run: Run,
        at: float,
    ) -> tuple[Cutout, MesherInput]:
        """Cut out and frame what `way` says."""
        chosen = replace(masked, alpha=way.alpha)
        with run.step("cutout", at):
            cutout = await asyncio.to_thread(cut, chosen, wishes.cutout)
        with run.step("frame", at):
            return cutout, await asyncio.to_thread(frame, chosen, cutout, wishes.cutout, options, relief=way.relief)

    async def _try_again(
        self, first: Attempt, masked: MaskedPhoto, wishes: RequestOptions, options: mesher_pb2.MeshOptions, run: Run
    ) -> Attempt:
        """Return the better of `first` and, where the gate finds fault with it, an attempt in the next-best way."""
        fault = find_fault(first.quality)
        if fault is None or run.left_s < 1.5 * first.meshed.receipt.total_s:
            return first
        way = await asyncio.to_thread(next_candidate, fault, first.way, masked)
        if way is None:
            return first
        try:
            cutout, framed = first.cutout, first.framed
            if way.alpha is not first.way.alpha:
                cutout, framed = await self._shape(masked, way, wishes, options, run, 0.8)
            elif not way.relief:
                framed = replace(framed, job=replace(framed.job, depth=None))
            second = Attempt(way, cutout, framed, await self._mesh(framed.job, run, 0.8, SECOND_ATTEMPT))
        except UnflatError as problem:  # the first mesh is here: it is handed out, with what is known of it
            run.warn(f"a second attempt at the mesh failed: {problem.message}")
            return first
        return await asyncio.to_thread(pick_better, [first, second], masked, run.receipt)

    async def _mesh(self, job: MeshJob, run: Run, base: float, share: float = 1.0) -> Meshed:
        """Mesh within `share` of the time left; progress goes on from `base`."""
        meshed = None
        async for event in self._stages.mesher.mesh(job, share * run.remaining_s()):
            if isinstance(event, Meshed):
                meshed = event
            else:
                run.progress("mesher", event.step, base + (0.95 - base) * event.fraction)
        if meshed is None:
            raise StageUnavailable("the mesher ended without a mesh")
        return meshed


def _describe_mesh(best: Attempt, run: Run) -> None:
    """Put the mesh that is handed out on the receipt, and count it."""
    quality, receipt = best.quality, run.receipt
    run.record(best.meshed.receipt)
    receipt.mesh.CopyFrom(quality)
    receipt.mask.coverage = float(best.cutout.alpha.mean())
    receipt.mask.frame_share = best.framed.share
    receipt.mask.touches.extend(best.framed.touches)
    if best.framed.touches:
        touched = " and ".join(best.framed.touches)
        run.warn(f"the subject is cut by the photo's {touched} border; the mesh ends there")
    receipt.verdict = state_verdict(quality, receipt)
    metrics.observe(metrics.MESH_THICKNESS, quality.thickness_ratio)
    if quality.silhouette_iou:  # 0 stands for "nothing to compare with"
        metrics.MESH_SILHOUETTE_IOU.observe(quality.silhouette_iou)
    flat = "truly" if quality.truly_flat else "yes" if quality.flat else "no"
    retry = "none" if not receipt.attempts else "refused" if receipt.attempts[0].returned else "taken"
    metrics.MESHES.labels(flat, "yes" if quality.watertight else "no", retry).inc()


def _describe(photo: Photo, run: Run) -> None:
    height, width = photo.pixels.shape[:2]
    run.receipt.photo.MergeFrom(
        pb.PhotoFacts(
            width=width,
            height=height,
            format=photo.format,
            bit_depth=photo.bit_depth,
            working_width=photo.working.shape[1],
            working_height=photo.working.shape[0],
            exif_orientation=photo.orientation,
            has_icc=bool(photo.metadata.icc),
            frames=photo.frames,
        )
    )
    if photo.frames > 1:
        run.warn(f"the file holds {photo.frames} pictures; the first was taken")


@contextmanager
def _stating_size(photo: Photo) -> Iterator[None]:
    """Put the upright photo's size on a NoSubject of the body: who wants an empty picture instead need not decode."""
    try:
        yield
    except NoSubject as problem:
        height, width = photo.pixels.shape[:2]
        problem.facts = {**problem.facts, "width": str(width), "height": str(height)}
        raise


async def _end(task: asyncio.Future[Any]) -> None:
    """Cancel `task` and see it gone, so that nothing of a request outlives it."""
    task.cancel()
    await asyncio.wait([task], timeout=_LEAVE_S)
    if task.done() and not task.cancelled():
        task.exception()  # looked at, so that asyncio does not report it as forgotten


def _as_segmented(supplied: SuppliedMask, photo: Photo) -> Segmented:
    alpha = resize(supplied.alpha, photo.working.shape)
    if float(np.mean(alpha > 0.5)) < LEAST_COVERAGE:
        raise NoSubject("the mask is empty; wanted a subject")
    return Segmented(alpha, alpha, stage_receipt(SEGMENTATION, pb.OUTCOME_SUPPLIED, supplied.origin))


def _fuse(
    photo: Photo, segmented: Segmented, depth: InverseDepth | None, wishes: RequestOptions, supplied: bool
) -> Fused:
    # A mask that the caller brought is what the caller wants: depth may guide the mesh, not change the mask.
    options = replace(wishes.fusion, strategy="segmentation") if supplied else wishes.fusion
    return fuse(photo.working, segmented.alpha, depth, options)


def _check_polarity(answer: DepthAnswer, alpha: Alpha, run: Run) -> None:
    if answer.depth is None:
        return
    warning = polarity_warning(answer.receipt.report.backend, answer.depth, alpha)
    if warning:
        run.warn(warning)


def _encode_png(photo: Photo, cutout: Cutout) -> bytes:
    return encode_cutout(cutout.foreground, cutout.alpha, photo.metadata, EncodeOptions())


def _mask_facts(fused: Fused, wishes: RequestOptions, supplied: SuppliedMask | None) -> pb.MaskFacts:
    return pb.MaskFacts(
        source=pb.MASK_SOURCE_SEGMENTATION if supplied is None else supplied.source,
        strategy=f"STRATEGY_{wishes.fusion.strategy.upper()}",
        used_depth=fused.used_depth,
        agreement=fused.agreement,
        confidence=fused.confidence,
        note=fused.note,
    )


def _debug(masked: MaskedPhoto) -> list[pb.DebugPicture]:
    return debug_pictures(masked.raw_alpha, masked.refined, masked.alpha, masked.depth, masked.depth_mask)
