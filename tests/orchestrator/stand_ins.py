"""A pipeline over stages that the test holds in its hand: no process, no network, no model.

The stages are held to the real ones by `stages/test_stage_contract.py`.
"""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from services.common.errors import DeadlineExceeded, NoSubject, UnflatError
from services.common.imaging.working_size import resize
from services.common.options import MeshOptions
from services.common.options.mask import DepthOptions
from services.common.options.proto import from_proto
from services.common.wire import (
    alpha_from_proto,
    alpha_to_proto,
    depth_from_proto,
    depth_to_proto,
    image_from_proto,
    image_to_proto,
)
from services.mesher.server import read_subject
from services.orchestrator.output.encoding import EncodeOptions
from services.orchestrator.pipeline import Pipeline
from services.orchestrator.request_options import parse_request_options
from services.orchestrator.run import Run
from services.orchestrator.stages.depth_stage import lost_depth
from services.orchestrator.stages.mesher_stage import mesh_request
from services.orchestrator.stages.stage_protocols import STANDARD, DepthAnswer, Meshed, MeshJob, Segmented, Stages
from services.orchestrator.stages.stage_receipts import stage_receipt
from services.segmentation.served_models import resolve_model
from services.segmentation.server import refine_options
from unflat.v1 import common_pb2, mesher_pb2, segmentation_pb2
from unflat.v1 import orchestrator_pb2 as pb

SIDE = 96
_Y, _X = np.mgrid[0:SIDE, 0:SIDE]
DISC = np.hypot(_X - SIDE / 2, _Y - SIDE / 2) < 30
NEVER = 3600.0


def encoded(array: np.ndarray, form: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.fromarray(array).save(out, form)
    return out.getvalue()


def archive(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.savez(out, array)
    return out.getvalue()


def pixels() -> np.ndarray:
    rgb = np.full((SIDE, SIDE, 3), (60, 90, 160), np.uint8)
    rgb[DISC] = (200, 60, 40)
    return rgb


PHOTO = encoded(pixels())
NEAR = depth_from_proto(depth_to_proto((0.2 + 0.8 * DISC + 0.001 * _X).astype(np.float32)))
"""As it comes over the wire, which rounds it."""


class Decoder:
    """Decodes in the same thread."""

    async def run(self, function: Callable[..., Any], *arguments: object) -> Any:
        return function(*arguments)


@dataclass
class Segmentation:
    """Answers a disc, or what it is given, at the photo's size."""

    alpha: np.ndarray = field(default_factory=lambda: DISC.astype(np.float32))
    raw_alpha: np.ndarray | None = None

    gate: asyncio.Event | None = None
    problem: Exception | None = None
    entered: list[float] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    cancelled: int = 0

    async def segment(self, rgb: np.ndarray, options: Any, timeout_s: float, *, explain: bool) -> Segmented:
        begin = time.perf_counter()
        self.entered.append(timeout_s)
        self.models.append(options.model)
        image_from_proto(image_to_proto(rgb), 3)
        resolve_model(options.model, setting="auto", running="fake")
        refine_options(options)
        await _pass(self, timeout_s)
        alpha, raw_alpha = (
            alpha_from_proto(alpha_to_proto(resize(given, rgb.shape)))
            for given in (self.alpha, self.alpha if self.raw_alpha is None else self.raw_alpha)
        )
        if not (raw_alpha > 0.5).any():
            raise NoSubject("nothing in the photo stands out as a subject")
        return Segmented(alpha, raw_alpha if explain else None, _answered("segmentation", "fake", begin))


@dataclass
class Depth:
    """Answers a disc that is nearer than its surroundings, at the photo's size."""

    gate: asyncio.Event | None = None
    problem: Exception | None = None
    answer: Any = None
    entered: list[float] = field(default_factory=list)
    cancelled: int = 0
    timeouts: int = 0
    asked: list[Any] = field(default_factory=list)

    async def estimate(self, rgb: np.ndarray, timeout_s: float, options: Any = STANDARD) -> Any:
        begin = time.perf_counter()
        self.entered.append(timeout_s)
        self.asked.append(options)
        try:
            image_from_proto(image_to_proto(rgb), 3)
            from_proto(DepthOptions, options)
            await _pass(self, timeout_s)
        except UnflatError as problem:
            return lost_depth(problem, begin)
        if self.answer is not None:
            return self.answer() if callable(self.answer) else self.answer
        depth = depth_from_proto(depth_to_proto(resize(NEAR, rgb.shape)))
        return DepthAnswer(depth, _answered("depth", "fake-depth", begin))

    def record_timeout(self) -> None:
        self.timeouts += 1


def quality(flat: bool = False, score: float = 0.9, watertight: bool = True, **rest: Any) -> mesher_pb2.MeshQuality:
    good: dict[str, Any] = {
        "vertices": 500,
        "faces": 996,
        "components": 1,
        "volume": 0.2,
        "thickness_ratio": 0.4,
        "view_depth_ratio": 0.4,
        "silhouette_iou": 0.95,
        "outward": watertight,
        "verdict_kind": "MESH_VERDICT_FLAT" if flat else "MESH_VERDICT_GOOD" if watertight else "MESH_VERDICT_OPEN",
        "verdict": "solid",
    }
    return mesher_pb2.MeshQuality(flat=flat, score=score, watertight=watertight, **(good | rest))


@dataclass
class Mesher:
    """Answers a mesh for each quality in turn; an exception in its place is raised."""

    qualities: list[Any] = field(default_factory=lambda: [quality()])
    jobs: list[MeshJob] = field(default_factory=list)
    gate: asyncio.Event | None = None
    problem: Exception | None = None
    entered: list[float] = field(default_factory=list)
    cancelled: int = 0
    took_s: float = 0.0
    after: Callable[[], None] = lambda: None

    async def mesh(self, job: MeshJob, timeout_s: float) -> AsyncIterator[Any]:
        begin = time.perf_counter()
        self.entered.append(timeout_s)
        self.jobs.append(job)
        subject = read_subject(mesh_request(job))
        from_proto(MeshOptions, job.options)
        if not subject.rgba[:, :, 3].any():
            raise NoSubject("the cutout is empty")
        yield mesher_pb2.StageProgress(step="shape", fraction=0.5)
        await _pass(self, timeout_s)
        found = self.qualities[len(self.jobs) - 1]
        if isinstance(found, Exception):
            raise found
        receipt = _answered("mesher", "fake-mesher", begin)
        receipt.total_s += self.took_s
        form = job.options.format or mesher_pb2.MESH_FORMAT_GLB
        yield Meshed(b"mesh %d" % len(self.jobs), form, found, receipt)
        self.after()


async def _pass(stage: Any, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await asyncio.sleep(0)  # others get their turn
            if stage.gate is not None:
                await stage.gate.wait()
    except TimeoutError:
        raise DeadlineExceeded("the stage did not answer in time") from None
    except asyncio.CancelledError:
        stage.cancelled += 1
        raise
    if stage.problem is not None:
        raise stage.problem


def _answered(stage: str, backend: str, begin: float) -> pb.StageReceipt:
    report = common_pb2.StageReport(backend=backend, device="cpu")
    return stage_receipt(stage, pb.OUTCOME_OK, report=report, begin=begin)


class Bench:
    """A pipeline over fakes; each call runs in an event loop of its own and must leave no task behind."""

    def __init__(self) -> None:
        self.segmentation, self.depth, self.mesher = Segmentation(), Depth(), Mesher()
        self.told: list[pb.Progress] = []
        self.budget_s = 60.0

    def cut(self, photo: bytes = PHOTO, mask_only: bool = False, debug: bool = False, **rest: Any) -> pb.CutoutResult:
        message, options = self._asked(photo, rest)
        return asyncio.run(
            self._clean(
                lambda line, run: line.remove_background(
                    message, options, EncodeOptions(), run, mask_only=mask_only, debug=debug
                )
            )
        )

    def mesh(self, photo: bytes = PHOTO, options: Any = None, debug: bool = False, **rest: Any) -> pb.MeshResult:
        message, asked = self._asked(photo, rest)
        options = options or mesher_pb2.MeshOptions()
        return asyncio.run(self._clean(lambda line, run: line.generate_mesh(message, asked, options, run, debug=debug)))

    def depth_alone(self) -> DepthAnswer:
        return asyncio.run(self._clean(lambda line, run: line.estimate_depth(PHOTO, run)))

    def pipeline(self) -> Pipeline:
        return Pipeline(Stages(self.segmentation, self.depth, self.mesher), Decoder(), 10_000_000)

    def run(self) -> Run:
        return Run("id-1", self.budget_s, self.told.append)

    def _asked(self, photo: bytes, rest: dict[str, Any]) -> tuple[pb.Photo, Any]:
        message = pb.Photo(file=photo, mask=rest.pop("mask", b""), depth=rest.pop("depth_map", b""))
        rest.setdefault("segmentation", segmentation_pb2.SegmentationOptions(preset="PRESET_FAST"))
        return message, parse_request_options(pb.MaskOptions(**rest), pb.CutoutOptions())

    async def _clean(self, work: Callable[[Pipeline, Run], Any]) -> Any:
        try:
            return await work(self.pipeline(), self.run())
        finally:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            assert not others, f"left behind: {others}"


def stage_of(receipt: pb.Receipt, name: str) -> pb.StageReceipt:
    return next(stage for stage in receipt.stages if stage.stage == name)


def alpha_of(picture: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture)))[:, :, 3]
