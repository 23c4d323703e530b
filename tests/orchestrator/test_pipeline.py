"""The way of a photo with stages that the test holds in its hand: no process, no network, no model."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from PIL import Image

from services.common.errors import (
    DeadlineExceeded,
    Internal,
    InvalidImage,
    InvalidOption,
    NoSubject,
    Overloaded,
    StageUnavailable,
)
from services.orchestrator.encoding import EncodeOptions
from services.orchestrator.pipeline import Pipeline
from services.orchestrator.requests import read_wishes
from services.orchestrator.run import Run
from services.orchestrator.stage_protocols import Stages
from services.orchestrator.stages import DepthAnswer, Meshed, MeshJob, Segmented, no_depth, stage_receipt
from unflat.v1 import common_pb2, mesher_pb2, segmentation_pb2
from unflat.v1 import orchestrator_pb2 as pb

SIDE = 96
_Y, _X = np.mgrid[0:SIDE, 0:SIDE]
DISC = np.hypot(_X - SIDE / 2, _Y - SIDE / 2) < 30
NEVER = 3600.0


def _encoded(array: np.ndarray, form: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.fromarray(array).save(out, form)
    return out.getvalue()


def _archive(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.savez(out, array)
    return out.getvalue()


def _pixels() -> np.ndarray:
    pixels = np.full((SIDE, SIDE, 3), (60, 90, 160), np.uint8)
    pixels[DISC] = (200, 60, 40)
    return pixels


PHOTO = _encoded(_pixels())
NEAR = (0.2 + 0.8 * DISC + 0.001 * _X).astype(np.float32)


class _Decoder:
    """Decodes in the same thread."""

    async def run(self, function: Callable[..., Any], *arguments: object) -> Any:
        return function(*arguments)


@dataclass
class _Segmentation:
    """Answers a disc."""

    gate: asyncio.Event | None = None
    problem: Exception | None = None
    entered: list[float] = field(default_factory=list)
    cancelled: int = 0

    async def segment(self, rgb: np.ndarray, options: Any, timeout_s: float, *, explain: bool) -> Segmented:
        self.entered.append(timeout_s)
        await _pass(self)
        alpha = DISC.astype(np.float32)
        report = common_pb2.StageReport(backend="fake", device="cpu")
        return Segmented(alpha, alpha if explain else None, stage_receipt("segmentation", pb.OUTCOME_OK, report=report))


@dataclass
class _Depth:
    """Answers a disc that is nearer than its surroundings."""

    gate: asyncio.Event | None = None
    problem: Exception | None = None
    answer: Any = None
    entered: list[float] = field(default_factory=list)
    cancelled: int = 0
    given_up: int = 0

    async def estimate(self, rgb: np.ndarray, timeout_s: float) -> Any:
        self.entered.append(timeout_s)
        await _pass(self)
        if self.answer is not None:
            return self.answer() if callable(self.answer) else self.answer
        report = common_pb2.StageReport(backend="fake-depth", device="cpu")
        return DepthAnswer(NEAR, stage_receipt("depth", pb.OUTCOME_OK, report=report))

    def gave_up(self) -> None:
        self.given_up += 1


def _quality(flat: bool = False, score: float = 0.9, **rest: Any) -> mesher_pb2.MeshQuality:
    values = {"watertight": True, "outward": True, "verdict": "solid", "thickness_ratio": 0.4} | rest
    return mesher_pb2.MeshQuality(flat=flat, score=score, **values)


@dataclass
class _Mesher:
    """Answers a mesh for each quality in turn; an exception in its place is raised."""

    qualities: list[Any] = field(default_factory=lambda: [_quality()])
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
        quality = self.qualities[len(self.jobs) - 1]
        if isinstance(quality, Exception):
            raise quality
        receipt = stage_receipt("mesher", pb.OUTCOME_OK, report=common_pb2.StageReport(backend="fake-mesher"))
        receipt.total_s = self.took_s
        yield Meshed(b"mesh %d" % len(self.jobs), mesher_pb2.MESH_FORMAT_GLB, quality, receipt)
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


class _Bench:
    """A pipeline over fakes; each call runs in an event loop of its own and must leave no task behind."""

    def __init__(self) -> None:
        self.segmentation, self.depth, self.mesher = _Segmentation(), _Depth(), _Mesher()
        self.told: list[pb.Progress] = []
        self.budget_s = 60.0

    def cut(self, photo: bytes = PHOTO, mask_only: bool = False, debug: bool = False, **rest: Any) -> pb.CutoutResult:
        message, wishes = self._asked(photo, rest)
        return asyncio.run(
            self._clean(
                lambda line, run: line.remove_background(
                    message, wishes, EncodeOptions(), run, mask_only=mask_only, debug=debug
                )
            )
        )

    def mesh(self, photo: bytes = PHOTO, options: Any = None, debug: bool = False, **rest: Any) -> pb.MeshResult:
        message, wishes = self._asked(photo, rest)
        options = options or mesher_pb2.MeshOptions()
        return asyncio.run(
            self._clean(lambda line, run: line.generate_mesh(message, wishes, options, run, debug=debug))
        )

    def depth_alone(self) -> DepthAnswer:
        return asyncio.run(self._clean(lambda line, run: line.estimate_depth(PHOTO, run)))

    def pipeline(self) -> Pipeline:
        return Pipeline(Stages(self.segmentation, self.depth, self.mesher), _Decoder(), 1_000_000)

    def run(self) -> Run:
        return Run("id-1", self.budget_s, self.told.append)

    def _asked(self, photo: bytes, rest: dict[str, Any]) -> tuple[pb.Photo, Any]:
        message = pb.Photo(file=photo, mask=rest.pop("mask", b""), depth=rest.pop("depth_map", b""))
        rest.setdefault("refine", segmentation_pb2.RefineOptions(preset="PRESET_FAST"))
        return message, read_wishes(pb.MaskOptions(**rest), pb.CutoutOptions())

    async def _clean(self, work: Callable[[Pipeline, Run], Any]) -> Any:
        try:
            return await work(self.pipeline(), self.run())
        finally:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            assert not others, f"left behind: {others}"


@pytest.fixture
def bench():
    return _Bench()


def _stage(receipt: pb.Receipt, name: str) -> pb.StageReceipt:
    return next(stage for stage in receipt.stages if stage.stage == name)


def _alpha(picture: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture)))[:, :, 3]


# ── side by side ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_segmentation_and_depth_run_side_by_side(bench):
    """Each waits for the other to have begun: one after the other would never end."""
    first, second = asyncio.Event(), asyncio.Event()

    class Left(_Segmentation):
        async def segment(self, *given, **rest):
            first.set()
            await second.wait()
            return await super().segment(*given, **rest)

    class Right(_Depth):
        async def estimate(self, *given):
            second.set()
            await first.wait()
            return await super().estimate(*given)

    bench.segmentation, bench.depth, bench.budget_s = Left(), Right(), 20.0
    assert _stage(bench.cut().receipt, "depth").outcome == pb.OUTCOME_OK


def test_the_cutout_is_the_segmented_disc_in_the_photos_size(bench):
    made = bench.cut()
    assert made.media_type == "image/png"
    assert np.mean((_alpha(made.image) > 127) == DISC) > 0.995


def test_the_mask_alone_comes_as_a_grey_picture(bench):
    mask = np.asarray(Image.open(io.BytesIO(bench.cut(mask_only=True).image)))
    assert mask.shape == (SIDE, SIDE)
    assert np.mean((mask > 127) == DISC) > 0.995


def test_debug_pictures_come_only_when_asked_for(bench):
    assert not bench.cut().debug
    names = {picture.name for picture in bench.cut(debug=True).debug}
    assert {"raw", "segmentation", "hybrid", "depth"} <= names


# ── depth is an improvement, never a condition ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("problem", "outcome"),
    [
        (StageUnavailable("depth is not here"), "UNAVAILABLE"),
        (Overloaded("depth is busy"), "UNAVAILABLE"),
        (DeadlineExceeded("depth is late"), "TIMEOUT"),
        (ZeroDivisionError("a defect of ours"), "UNAVAILABLE"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value,
)
def test_depth_that_raises_costs_nothing_but_depth(bench, problem, outcome):
    without = bench.cut(depth="DEPTH_MODE_OFF")
    bench.depth.problem = problem
    made = bench.cut()
    assert pb.Outcome.Name(_stage(made.receipt, "depth").outcome) == f"OUTCOME_{outcome}"
    assert made.receipt.degraded
    assert [warning for warning in made.receipt.warnings if warning.startswith("made without depth")]
    assert made.image == without.image


def test_a_defect_in_depth_is_said_without_its_text(bench):
    bench.depth.problem = ValueError("password=hunter2")
    reason = _stage(bench.cut().receipt, "depth").reason
    assert "ValueError" in reason
    assert "hunter2" not in reason


def test_depth_that_answers_nothing_at_all_is_unavailable(bench):
    bench.depth.answer = lambda: None
    made = bench.cut()
    assert _stage(made.receipt, "depth").outcome == pb.OUTCOME_UNAVAILABLE
    assert np.mean((_alpha(made.image) > 127) == DISC) > 0.995


def test_depth_that_hangs_is_left_behind_after_the_callers_patience(bench):
    bench.depth.gate = asyncio.Event()
    made = bench.cut(depth_patience_s=0.0)
    assert _stage(made.receipt, "depth").outcome == pb.OUTCOME_TIMEOUT
    assert any("longer than segmentation" in warning for warning in made.receipt.warnings)
    assert bench.depth.cancelled == 1
    assert bench.depth.given_up == 0, "a caller's impatience must not open the breaker for others"


def test_depth_that_hangs_beyond_our_own_patience_counts_against_it(bench, monkeypatch):
    monkeypatch.setattr("services.orchestrator.pipeline.CUTOUT_PATIENCE_S", 0.01)
    bench.depth.gate = asyncio.Event()
    bench.cut()
    assert bench.depth.given_up == 1


def test_however_patient_the_caller_depth_never_takes_all_the_time_that_is_left(bench):
    bench.depth.gate = asyncio.Event()
    bench.budget_s = 2.0
    made = bench.cut(depth_patience_s=600.0)
    assert _stage(made.receipt, "depth").outcome == pb.OUTCOME_TIMEOUT
    assert np.mean((_alpha(made.image) > 127) == DISC) > 0.995


def test_a_mesh_waits_for_depth_as_long_as_it_usually_takes(bench):
    async def scenario() -> pb.MeshResult:
        line, wishes = bench.pipeline(), read_wishes(pb.MaskOptions(), pb.CutoutOptions())
        for _ in range(3):  # depth answers at once: that is what is usual from now on
            await line.generate_mesh(pb.Photo(file=PHOTO), wishes, mesher_pb2.MeshOptions(), bench.run(), debug=False)
            bench.mesher.jobs.clear()
        bench.depth.gate = asyncio.Event()
        return await line.generate_mesh(
            pb.Photo(file=PHOTO), wishes, mesher_pb2.MeshOptions(), bench.run(), debug=False
        )

    made = asyncio.run(scenario())
    assert _stage(made.receipt, "depth").outcome == pb.OUTCOME_TIMEOUT


def test_depth_that_nobody_asked_for_is_not_called(bench):
    made = bench.cut(depth="DEPTH_MODE_OFF")
    assert _stage(made.receipt, "depth").outcome == pb.OUTCOME_DISABLED
    assert not made.receipt.degraded
    assert not bench.depth.entered


def test_supplied_depth_replaces_the_stage(bench):
    made = bench.cut(depth_map=_archive(NEAR))
    assert _stage(made.receipt, "depth").outcome == pb.OUTCOME_SUPPLIED
    assert not bench.depth.entered


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.where(DISC, np.nan, NEAR), "not finite"),
        (np.full((SIDE, SIDE), 3.0, np.float32), "every depth value is the same"),
    ],
    ids=["NaN", "constant"],
)
def test_supplied_depth_without_sense_is_left_out_and_said(bench, values, said):
    made = bench.cut(depth_map=_archive(values))
    assert _stage(made.receipt, "depth").outcome == pb.OUTCOME_INVALID
    assert any(said in warning for warning in made.receipt.warnings)


def test_a_supplied_depth_that_is_no_depth_is_the_callers_error(bench):
    with pytest.raises(InvalidImage):
        bench.cut(depth_map=b"junk")


@pytest.mark.parametrize(
    ("outcome", "error"), [("UNAVAILABLE", StageUnavailable), ("TIMEOUT", DeadlineExceeded), ("OK", None)]
)
def test_asked_for_depth_alone_its_absence_is_an_error_of_its_kind(bench, outcome, error):
    if error is None:
        assert np.array_equal(bench.depth_alone().depth, NEAR)
        return
    bench.depth.answer = lambda: no_depth(pb.Outcome.Value(f"OUTCOME_{outcome}"), "so it is")
    with pytest.raises(error, match="no depth: so it is"):
        bench.depth_alone()


# ── segmentation decides ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("problem", [NoSubject("nothing"), StageUnavailable("gone"), Internal("broken")], ids=repr)
def test_segmentation_that_fails_is_the_answer_and_depth_is_cancelled(bench, problem):
    bench.segmentation.problem = problem
    bench.depth.gate = asyncio.Event()
    with pytest.raises(type(problem)) as caught:
        bench.cut()
    assert caught.value is problem
    assert bench.depth.cancelled == 1


def test_segmentation_and_depth_failing_together_leave_nothing_forgotten(bench, caplog):
    bench.segmentation.problem, bench.depth.problem = NoSubject("nothing"), ValueError("too")
    with pytest.raises(NoSubject):
        bench.cut()
    assert "never retrieved" not in caplog.text


def test_a_spent_budget_ends_in_deadline_exceeded_before_any_stage(bench):
    bench.budget_s = 0.0
    with pytest.raises(DeadlineExceeded):
        bench.cut()
    assert not bench.segmentation.entered


def test_every_stage_is_given_less_than_the_caller_gave(bench):
    bench.mesh()
    given = bench.segmentation.entered + bench.depth.entered + bench.mesher.entered
    assert all(0 < timeout_s < bench.budget_s for timeout_s in given)


def test_a_mask_of_nothing_is_no_subject(bench):
    with pytest.raises(NoSubject):
        bench.cut(mask=_encoded(np.zeros((SIDE, SIDE), np.uint8)))


# ── what the caller brings ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_supplied_mask_replaces_segmentation_and_depth_does_not_change_it(bench):
    square = np.zeros((SIDE, SIDE), np.uint8)
    square[20:70, 30:60] = 255
    made = bench.cut(mask=_encoded(square))
    assert np.array_equal(_alpha(made.image), square)
    assert _stage(made.receipt, "segmentation").outcome == pb.OUTCOME_SUPPLIED
    assert not bench.segmentation.entered


def test_an_inverted_mask_is_turned_over_and_said(bench):
    made = bench.cut(mask=_encoded(np.where(DISC, 0, 255).astype(np.uint8)))
    assert np.array_equal(_alpha(made.image) > 127, DISC)
    assert any("turned over" in warning for warning in made.receipt.warnings)


def test_a_mask_of_another_shape_is_refused_with_both_sizes(bench):
    with pytest.raises(InvalidOption, match=r"48 × 90 px, the photo 96 × 96") as caught:
        bench.cut(mask=_encoded(np.zeros((90, 48), np.uint8)))
    assert caught.value.field == "mask"


def test_a_mask_at_half_the_photos_size_is_taken(bench):
    made = bench.cut(mask=_encoded((DISC[::2, ::2] * 255).astype(np.uint8)))
    assert np.mean((_alpha(made.image) > 127) == DISC) > 0.97


def test_a_photo_that_is_already_cut_keeps_its_alpha(bench):
    alpha = (DISC * 255).astype(np.uint8)
    made = bench.cut(_encoded(np.dstack([_pixels(), alpha])))
    assert np.array_equal(_alpha(made.image), alpha)
    assert made.receipt.photo.own_alpha
    assert _stage(made.receipt, "segmentation").reason == "the photo's own alpha"


def test_an_alpha_that_hides_nothing_is_segmented(bench):
    made = bench.cut(_encoded(np.dstack([_pixels(), np.full((SIDE, SIDE), 255, np.uint8)])))
    assert not made.receipt.photo.own_alpha
    assert bench.segmentation.entered


def test_an_alpha_that_hides_everything_is_no_subject(bench):
    with pytest.raises(NoSubject, match="transparent everywhere"):
        bench.cut(_encoded(np.dstack([_pixels(), np.zeros((SIDE, SIDE), np.uint8)])))


def test_a_supplied_mask_goes_before_the_photos_alpha_and_is_named_so(bench):
    square = np.zeros((SIDE, SIDE), np.uint8)
    square[20:70, 30:60] = 255
    made = bench.cut(_encoded(np.dstack([_pixels(), (DISC * 255).astype(np.uint8)])), mask=_encoded(square))
    assert np.array_equal(_alpha(made.image), square)
    assert _stage(made.receipt, "segmentation").reason == "supplied with the request"


# ── the mesh and its gate ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_good_mesh_is_meshed_once_with_depth(bench):
    made = bench.mesh()
    assert made.mesh == b"mesh 1"
    assert len(bench.mesher.jobs) == 1
    assert bench.mesher.jobs[0].depth is not None
    assert bench.mesher.jobs[0].frame.shape == (512, 512, 4)
    assert not made.receipt.HasField("other_attempt")


BAD = {"flat": _quality(flat=True, score=0.3), "open": _quality(score=0.3, watertight=False)}


@pytest.mark.parametrize("bad", BAD)
def test_a_flat_or_broken_mesh_is_tried_without_depth_and_the_better_one_returned(bench, bad):
    bench.mesher.qualities = [BAD[bad], _quality(score=0.8)]
    made = bench.mesh()
    assert made.mesh == b"mesh 2"
    assert bench.mesher.jobs[1].depth is None
    assert made.receipt.mesh.score == pytest.approx(0.8)
    assert made.receipt.other_attempt.score == pytest.approx(0.3)
    assert "without depth's relief was taken (0.80 against 0.30)" in made.receipt.verdict


def test_a_worse_second_attempt_is_not_returned_but_said(bench):
    bench.mesher.qualities = [_quality(flat=True, score=0.5), _quality(flat=True, score=0.2)]
    made = bench.mesh()
    assert made.mesh == b"mesh 1"
    assert made.receipt.other_attempt.score == pytest.approx(0.2)
    assert "with depth's relief was taken (0.50 against 0.20)" in made.receipt.verdict


def test_a_truly_flat_subject_is_left_alone(bench):
    bench.mesher.qualities = [_quality(flat=True, truly_flat=True)]
    bench.mesh()
    assert len(bench.mesher.jobs) == 1


@pytest.mark.parametrize("how", ["no depth", "depth not used"])
def test_there_is_no_second_attempt_where_it_would_be_the_same(bench, how):
    bench.mesher.qualities = [_quality(flat=True, score=0.3)]
    if how == "no depth":
        made = bench.mesh(depth="DEPTH_MODE_OFF")
        assert "there was no depth to tell how deep it is" in made.receipt.verdict
    else:
        bench.mesh(options=mesher_pb2.MeshOptions(use_depth=False))
    assert len(bench.mesher.jobs) == 1


def test_there_is_no_second_attempt_without_the_time_for_it(bench):
    bench.mesher.qualities, bench.mesher.took_s = [_quality(flat=True, score=0.3)], NEVER
    assert bench.mesh().mesh == b"mesh 1"


def test_a_second_attempt_that_fails_leaves_the_first(bench):
    bench.mesher.qualities = [_quality(flat=True, score=0.3), Overloaded("the mesher is busy")]
    made = bench.mesh()
    assert made.mesh == b"mesh 1"
    assert any("second attempt" in warning and "busy" in warning for warning in made.receipt.warnings)


def test_a_finished_mesh_is_handed_out_even_when_the_time_is_just_up(bench):
    run = bench.run()
    bench.mesher.qualities = [_quality(flat=True, score=0.3)]
    bench.mesher.after = lambda: setattr(run, "_deadline", 0.0)
    wishes = read_wishes(pb.MaskOptions(), pb.CutoutOptions())
    photo = pb.Photo(file=PHOTO)
    made = asyncio.run(bench.pipeline().generate_mesh(photo, wishes, mesher_pb2.MeshOptions(), run, debug=False))
    assert made.mesh == b"mesh 1"


def test_a_mesher_that_fails_is_the_answer(bench):
    bench.mesher.qualities = [StageUnavailable("no mesher")]
    with pytest.raises(StageUnavailable, match="no mesher"):
        bench.mesh()


def test_a_mesher_that_ends_without_a_mesh_is_unavailable(bench):
    class Silent(_Mesher):
        async def mesh(self, job, timeout_s):
            yield mesher_pb2.StageProgress(step="shape", fraction=0.5)

    bench.mesher = Silent()
    with pytest.raises(StageUnavailable, match="without a mesh"):
        bench.mesh()


def test_the_cutout_comes_with_the_mesh(bench):
    assert np.mean((_alpha(bench.mesh().cutout) > 127) == DISC) > 0.995


# ── receipt, progress, cancellation ─────────────────────────────────────────────────────────────────────────────────


def test_the_receipt_of_a_mesh_is_complete(bench):
    receipt = bench.mesh().receipt
    assert receipt.request_id == "id-1"
    assert receipt.version
    assert [stage.stage for stage in receipt.stages] == ["segmentation", "depth", "mesher"]
    assert all(stage.outcome == pb.OUTCOME_OK for stage in receipt.stages)
    assert [step.step for step in receipt.steps] == ["decode", "fuse", "cutout", "frame"]
    assert receipt.total_s >= sum(step.seconds for step in receipt.steps)
    assert (receipt.photo.width, receipt.photo.height, receipt.photo.format) == (SIDE, SIDE, "PNG")
    assert receipt.mask.coverage == pytest.approx(DISC.mean(), abs=0.02)
    assert receipt.mask.frame_share == pytest.approx(0.85, abs=0.02)
    assert receipt.verdict == "solid."
    assert not receipt.degraded
    assert not receipt.warnings


def test_progress_only_grows(bench):
    bench.mesh()
    fractions = [event.fraction for event in bench.told]
    assert fractions == sorted(fractions)
    assert {event.stage for event in bench.told} == {"orchestrator", "segmentation", "mesher"}


@pytest.mark.parametrize("work", ["cut", "mesh"])
def test_the_finished_mask_comes_once_as_a_small_picture_before_the_result(bench, work):
    getattr(bench, work)()
    (shown,) = [event for event in bench.told if event.preview_png]
    mask = np.asarray(Image.open(io.BytesIO(shown.preview_png)))
    assert shown.step == "mask"
    assert mask.shape == (SIDE, SIDE)
    assert np.mean((mask > 127) == DISC) > 0.995


def test_a_file_of_several_pictures_is_said(bench):
    out = io.BytesIO()
    first = Image.fromarray(_pixels())
    first.save(out, "TIFF", save_all=True, append_images=[first])
    receipt = bench.cut(out.getvalue()).receipt
    assert receipt.photo.frames == 2
    assert any("2 pictures" in warning for warning in receipt.warnings)


def test_a_subject_at_the_border_is_said(bench):
    square = np.zeros((SIDE, SIDE), np.uint8)
    square[20:70, :50] = 255
    receipt = bench.mesh(mask=_encoded(square)).receipt
    assert list(receipt.mask.touches) == ["left"]
    assert any("left border" in warning for warning in receipt.warnings)


@pytest.mark.parametrize("where", ["segmentation", "mesher"])
def test_a_cancelled_request_cancels_what_it_waits_for_and_leaves_no_task(bench, where):
    async def scenario() -> set[Any]:
        stage = getattr(bench, where)
        stage.gate = asyncio.Event()
        if where == "segmentation":
            bench.depth.gate = asyncio.Event()
        wishes = read_wishes(pb.MaskOptions(), pb.CutoutOptions())
        task = asyncio.create_task(
            bench.pipeline().generate_mesh(
                pb.Photo(file=PHOTO), wishes, mesher_pb2.MeshOptions(), bench.run(), debug=False
            )
        )
        while not stage.entered:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert not asyncio.run(scenario())
    assert getattr(bench, where).cancelled == 1
    assert bench.depth.cancelled == (where == "segmentation")
