"""A pipeline over stages that the test holds in its hand: no process, no network, no model."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from services.orchestrator.output.encoding import EncodeOptions
from services.orchestrator.pipeline import Pipeline
from services.orchestrator.request_options import parse_request_options
from services.orchestrator.run import Run
from services.orchestrator.stages.stage_protocols import STANDARD, DepthAnswer, Meshed, MeshJob, Segmented, Stages
from services.orchestrator.stages.stage_receipts import stage_receipt
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
NEAR = (0.2 + 0.8 * DISC + 0.001 * _X).astype(np.float32)


class Decoder:
    """Decodes in the same thread."""

    async def run(self, function: Callable[..., Any], *arguments: object) -> Any:
        return function(*arguments)


@dataclass
class Segmentation:
    """Answers a disc, or what it is given."""

    alpha: np.ndarray = field(default_factory=lambda: DISC.astype(np.float32))
    raw_alpha: np.ndarray | None = None

    gate: asyncio.Event | None = None
    problem: Exception | None = None
    entered: list[float] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    cancelled: int = 0

    async def segment(self, rgb: np.ndarray, options: Any, timeout_s: float, *, explain: bool) -> Segmented:
        self.entered.append(timeout_s)
        self.models.append(options.model)
        await _pass(self)
        raw_alpha = self.alpha if self.raw_alpha is None else self.raw_alpha
        report = common_pb2.StageReport(backend="fake", device="cpu")
        return Segmented(
            self.alpha, raw_alpha if explain else None, stage_receipt("segmentation", pb.OUTCOME_OK, report=report)
        )


@dataclass
class Depth:
    """Answers a disc that is nearer than its surroundings."""

    gate: asyncio.Event | None = None
    problem: Exception | None = None
    answer: Any = None
    entered: list[float] = field(default_factory=list)
    cancelled: int = 0
    timeouts: int = 0
    asked: list[Any] = field(default_factory=list)

    async def estimate(self, rgb: np.ndarray, timeout_s: float, options: Any = STANDARD) -> Any:
        self.entered.append(timeout_s)
        self.asked.append(options)
        await _pass(self)
        if self.answer is not None:
            return self.answer() if callable(self.answer) else self.answer
        report = common_pb2.StageReport(backend="fake-depth", device="cpu")
        return DepthAnswer(NEAR, stage_receipt("depth", pb.OUTCOME_OK, report=report))

    def record_timeout(self) -> None:
        self.timeouts += 1


def quality(flat: bool = False, score: float = 0.9, **rest: Any) -> mesher_pb2.MeshQuality:
    good = {"watertight": True, "outward": True, "verdict": "solid", "thickness_ratio": 0.4, "silhouette_iou": 0.95}
    return mesher_pb2.MeshQuality(flat=flat, score=score, **(good | rest))


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
        self.entered.append(timeout_s)
        self.jobs.append(job)
        yield mesher_pb2.StageProgress(step="shape", fraction=0.5)
        await _pass(self)
        found = self.qualities[len(self.jobs) - 1]
        if isinstance(found, Exception):
            raise found
        receipt = stage_receipt("mesher", pb.OUTCOME_OK, report=common_pb2.StageReport(backend="fake-mesher"))
        receipt.total_s = self.took_s
        yield Meshed(b"mesh %d" % len(self.jobs), mesher_pb2.MESH_FORMAT_GLB, found, receipt)
        self.after()


async def _pass(stage: Any) -> None:
    try:
        await asyncio.sleep(0)  # others get their turn
        if stage.gate is not None:
            await stage.gate.wait()
    except asyncio.CancelledError:
        stage.cancelled += 1
        raise
    if stage.problem is not None:
        raise stage.problem


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
