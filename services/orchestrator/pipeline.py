"""The way of a photo, top to bottom:

    decode ─┬─► segmentation ─┐
            └─► depth ────────┴─► fuse ─► cut out ─► frame ─► mesh ─► gate ─► result + receipt

Segmentation and depth run side by side. Depth is an improvement, never a condition: whatever goes wrong with it, the
answer comes without it. A supplied mask, or a photo that is already cut, replaces segmentation; a supplied depth
replaces the depth stage.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from services.common.errors import DeadlineExceeded, NoSubject, StageUnavailable
from services.common.photos.decode_pool import DecodePool
from services.common.photos.decoding import Photo, decode_mask, decode_photo
from services.orchestrator.cutout.cut import Cutout
from services.orchestrator.depth_source import DepthSource
from services.orchestrator.depth_wait import Product
from services.orchestrator.fusion import fuse
from services.orchestrator.gate.mesh_gate import first_candidate
from services.orchestrator.input_checks.depth_polarity import polarity_warning
from services.orchestrator.input_checks.supplied_mask import SuppliedMask, check_supplied_mask, find_own_alpha
from services.orchestrator.masked_photo import MaskedPhoto, cut
from services.orchestrator.mesh_attempts import MeshAttempts
from services.orchestrator.output.debug_pictures import debug_pictures, photo_picture, preview_mask
from services.orchestrator.output.encoding import MEDIA_TYPES, EncodeOptions, encode_cutout, encode_mask
from services.orchestrator.receipt_facts import describe_mask, describe_mesh, describe_photo
from services.orchestrator.request_options import RequestOptions
from services.orchestrator.run import Run
from services.orchestrator.stages.stage_protocols import (
    SEGMENTATION,
    STANDARD,
    DepthAnswer,
    Segmented,
    Stages,
)
from services.orchestrator.tasks import end_task
from unflat.v1 import depth_pb2, mesher_pb2
from unflat.v1 import orchestrator_pb2 as pb


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
        self._depth = DepthSource(stages.depth, decoder, max_pixels)

    # ── the three requests ──────────────────────────────────────────────────────────────────────────────────────────

    async def remove_background(
        self,
        message: pb.Photo,
        options: RequestOptions,
        encode: EncodeOptions,
        run: Run,
        *,
        mask_only: bool,
        debug: bool,
    ) -> pb.CutoutResult:
        """Return the cutout (or the mask alone) as an encoded picture, with the receipt.

        Raises:
            UnflatError: the photo cannot be used, or segmentation fails.
        """
        photo = await self._decode(message.file, run)
        with _stating_size(photo):
            masked = await self._mask(message, photo, options, run, product="cutout", explain=debug)
            with run.step("cutout", 0.7):
                cutout = await asyncio.to_thread(cut, masked, options.cutout)
        run.receipt.mask.coverage = float(cutout.alpha.mean())
        with run.step("encode", 0.9):
            if mask_only:
                image = await asyncio.to_thread(encode_mask, cutout.alpha, encode)
            else:
                image = await asyncio.to_thread(encode_cutout, cutout.foreground, cutout.alpha, photo.metadata, encode)
            mask = await asyncio.to_thread(encode_mask, cutout.alpha, EncodeOptions()) if encode.with_mask else b""
        return pb.CutoutResult(
            image=image,
            mask=mask,
            media_type=MEDIA_TYPES[encode.format],
            receipt=run.close(),
            debug=debug_pictures(masked) if debug else None,
        )

    async def generate_mesh(
        self, message: pb.Photo, options: RequestOptions, mesh_options: mesher_pb2.MeshOptions, run: Run, *, debug: bool
    ) -> pb.MeshResult:
        """Return the mesh and the cutout it was made of, with the receipt.

        Raises:
            UnflatError: the photo cannot be used, or segmentation or the mesher fails.
        """
        photo = await self._decode(message.file, run)
        with _stating_size(photo):
            masked = await self._mask(message, photo, options, run, product="mesh", explain=True)
            attempts = MeshAttempts(self._stages.mesher, self._decoder, masked, options, mesh_options, run)
            candidate = first_candidate(masked, mesh_options)
            framed = await attempts.frame(candidate, at=0.4)
        png = asyncio.create_task(asyncio.to_thread(_encode_png, photo, framed.cutout))  # beside the mesher
        try:
            first = await attempts.mesh(candidate, framed, at=0.5)
            best = await attempts.better_than(first)
            describe_mesh(best, run)
            run.progress("orchestrator", "encode", 0.98)
            same_cutout = best.framed.cutout is framed.cutout
            cutout = await png if same_cutout else await asyncio.to_thread(_encode_png, photo, best.framed.cutout)
        finally:
            await end_task(png)
        shown = replace(masked, alpha=best.candidate.alpha)
        return pb.MeshResult(
            mesh=best.meshed.data,
            format=best.meshed.format,
            cutout=cutout,
            receipt=run.close(),
            debug=[*debug_pictures(shown), photo_picture(photo.working)] if debug else None,
        )

    async def estimate_depth(self, file: bytes, run: Run, options: depth_pb2.DepthOptions = STANDARD) -> DepthAnswer:
        """Return the depth of a photo at working size.

        Raises:
            UnflatError: the photo cannot be used, or there is no depth; here depth is all that was asked for.
        """
        photo = await self._decode(file, run)
        answer = await self._depth.estimate(photo, run.remaining_s(), options)
        run.record(answer.receipt)
        if answer.depth is None:
            kind = DeadlineExceeded if answer.receipt.outcome == pb.OUTCOME_TIMEOUT else StageUnavailable
            raise kind(f"no depth: {answer.receipt.reason}")
        return answer

    # ── the photo and its mask ──────────────────────────────────────────────────────────────────────────────────────

    async def _decode(self, file: bytes, run: Run) -> Photo:
        with run.step("decode", 0.0):
            photo: Photo = await self._decoder.run(decode_photo, file, self._max_pixels)
        describe_photo(photo, run)
        return photo

    async def _mask(
        self,
        message: pb.Photo,
        photo: Photo,
        options: RequestOptions,
        run: Run,
        *,
        product: Product,
        explain: bool,
    ) -> MaskedPhoto:
        supplied = await self._supplied_mask(message, photo, run)
        async with self._depth.asked(message.depth, photo, options, run) as pending:
            if supplied is None:
                segmented = await self._segment(photo, options, run, explain=explain)
            else:
                segmented = supplied.as_segmented(photo.working)
            run.record(segmented.receipt)
            depth = await self._depth.wait_for(pending, product, options, run)
        run.record(depth.receipt)
        if depth.depth is not None:
            run.warn(polarity_warning(depth.receipt.report.backend, depth.depth, segmented.alpha))
        # A mask that the caller brought is what the caller wants: depth may guide the mesh, not change the mask.
        fusion = options.fusion if supplied is None else replace(options.fusion, strategy="segmentation")
        with run.step("fuse", 0.35):
            fused = await asyncio.to_thread(fuse, photo.working, segmented.alpha, depth.depth, fusion)
        describe_mask(fused, options.fusion.strategy, supplied, run)
        run.progress("orchestrator", "mask", 0.4, preview_mask(fused.alpha))
        return MaskedPhoto(
            photo, fused.alpha, segmented.alpha, segmented.raw_alpha, depth.depth, fused.depth_mask, supplied
        )

    async def _supplied_mask(self, message: pb.Photo, photo: Photo, run: Run) -> SuppliedMask | None:
        if not message.mask:
            return find_own_alpha(photo)
        decoded = await self._decoder.run(decode_mask, message.mask, self._max_pixels)
        supplied = check_supplied_mask(decoded, photo)
        for change in supplied.changes:
            run.warn(change)
        return supplied

    async def _segment(self, photo: Photo, options: RequestOptions, run: Run, *, explain: bool) -> Segmented:
        run.progress(SEGMENTATION, "segment", 0.1)
        return await self._stages.segmentation.segment(
            photo.working, options.segmentation, run.remaining_s(), explain=explain
        )


@contextmanager
def _stating_size(photo: Photo) -> Iterator[None]:
    """Put the upright photo's size on a NoSubject of the body: who wants an empty picture instead need not decode."""
    try:
        yield
    except NoSubject as problem:
        height, width = photo.pixels.shape[:2]
        problem.facts = {**problem.facts, "width": str(width), "height": str(height)}
        raise


def _encode_png(photo: Photo, cutout: Cutout) -> bytes:
    return encode_cutout(cutout.foreground, cutout.alpha, photo.metadata, EncodeOptions())
