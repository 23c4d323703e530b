"""The mesh of one request: cut out, framed and meshed, and once more from something else where the gate finds fault."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import cv2
import numpy as np

from services.common.arrays import RGB
from services.common.errors import StageUnavailable, UnflatError
from services.common.photos.colour import to_srgb
from services.common.photos.decode_pool import DecodePool
from services.common.photos.raster import to_8_bits
from services.orchestrator.cutout.cut import Cutout
from services.orchestrator.gate.mesh_gate import Attempt, MeshCandidate, find_fault, judge, next_candidate
from services.orchestrator.masked_photo import MaskedPhoto, MesherInput, cut, frame
from services.orchestrator.receipt_facts import describe_attempts
from services.orchestrator.request_options import RequestOptions
from services.orchestrator.run import Run
from services.orchestrator.stages.stage_protocols import Meshed, Mesher, MeshJob
from unflat.v1 import mesher_pb2

SECOND_SHARE = 0.8  # of the time left that a second attempt may take: late, it must not cost the first mesh as well
SECOND_WORTH = 1.5  # times what the first mesh took must be left for a second


@dataclass(frozen=True)
class MeshAttempts:
    """Makes meshes of one masked photo.

    Args:
        mesher: the stage.
        decoder: reads colour profiles in processes of their own.
        masked: the photo with its masks.
        options: of the request.
        mesh_options: of its mesh.
        run: receives progress and warnings.
    """

    mesher: Mesher
    decoder: DecodePool
    masked: MaskedPhoto
    options: RequestOptions
    mesh_options: mesher_pb2.MeshOptions
    run: Run

    async def frame(self, candidate: MeshCandidate, at: float) -> MesherInput:
        """Return `candidate` cut out and framed.

        Raises:
            NoSubject: nothing is left of it.
        """
        chosen = replace(self.masked, alpha=candidate.alpha)
        with self.run.step("cutout", at):
            cutout = await asyncio.to_thread(cut, chosen, self.options.cutout)
        with self.run.step("frame", at):
            colours = await self._srgb_of(cutout)
            return await asyncio.to_thread(frame, chosen, cutout, colours, self.mesh_options, relief=candidate.relief)

    async def mesh(self, candidate: MeshCandidate, framed: MesherInput, at: float, share: float = 1.0) -> Attempt:
        """Return the mesh of what was framed; it may take `share` of the time left.

        Raises:
            UnflatError: the mesher fails.
        """
        return Attempt(candidate, framed, await self._mesh(framed.job, at, share))

    async def better_than(self, first: Attempt) -> Attempt:
        """Return the better one of `first` and, where the gate finds fault with it, of the next candidate's mesh."""
        fault = find_fault(first.quality)
        if fault is None or self.run.left_s < SECOND_WORTH * first.meshed.receipt.total_s:
            return first
        candidate = await asyncio.to_thread(next_candidate, fault, first.candidate, self.masked)
        if candidate is None:
            return first
        try:
            framed = await self._frame_again(first, candidate)
            second = await self.mesh(candidate, framed, 0.8, SECOND_SHARE)
        except UnflatError as problem:  # the first mesh is here: it is handed out, with what is known of it
            self.run.warn(f"a second attempt at the mesh failed: {problem.message}")
            return first
        judged = await asyncio.to_thread(judge, [first, second], self.masked)
        best = max(judged, key=lambda one: one.score)
        describe_attempts(judged, best, self.run)
        return best.attempt

    async def _frame_again(self, first: Attempt, candidate: MeshCandidate) -> MesherInput:
        """Return the frame of the next candidate; where only depth's relief goes, it is the first one's."""
        if candidate.alpha is not first.candidate.alpha:
            return await self.frame(candidate, 0.8)
        if candidate.relief:
            return first.framed
        return replace(first.framed, job=replace(first.framed.job, depth=None))

    async def _srgb_of(self, cutout: Cutout) -> RGB:
        """Return the subject's colours as the mesher wants them, at full size; profiles are read in the sandbox."""
        colours, icc = to_8_bits(cutout.foreground), self.masked.photo.metadata.icc
        if not icc:
            return colours
        x, y, width, height = cv2.boundingRect((cutout.alpha > 0).view(np.uint8))
        subject = np.s_[y : y + height, x : x + width]
        converted = np.zeros_like(colours)
        converted[subject] = await self.decoder.run(to_srgb, colours[subject], "rgb", icc)
        return converted

    async def _mesh(self, job: MeshJob, at: float, share: float) -> Meshed:
        meshed = None
        async for event in self.mesher.mesh(job, share * self.run.remaining_s()):
            if isinstance(event, Meshed):
                meshed = event
            else:
                self.run.progress("mesher", event.step, at + (0.95 - at) * event.fraction)
        if meshed is None:
            raise StageUnavailable("the mesher ended without a mesh")
        return meshed
