"""The depth service's glue."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from services.common.backends.batching import GPU_BATCH, Batcher, BatchOptions
from services.common.errors import DeadlineExceeded, InvalidImage, StageUnavailable
from services.common.serving.admission import Admission
from services.common.serving.model_holder import ModelHolder
from services.common.serving.stage_call import CallAbandonedError
from services.common.wire import depth_from_proto, image_to_proto
from services.depth.server import DepthServicer, DepthSettings, share_runs
from unflat.v1 import depth_pb2 as pb

RAMP = np.tile(np.linspace(1, 2, 30, dtype=np.float32), (20, 1))
CONTEXT = SimpleNamespace(
    is_active=lambda: True, time_remaining=lambda: 60.0, add_callback=lambda _: None, invocation_metadata=tuple
)


class _Backend:
    name, device, dtype, digest, licence, notes = "fake", "cpu", "float32", "ab", "MIT", ()

    def __init__(self, note: str = "") -> None:
        self._note = note
        self.seen: list[tuple[int, ...]] = []

    def estimate(self, rgb: np.ndarray, check: object) -> np.ndarray:
        self.seen.append(rgb.shape[:2])
        return RAMP[: rgb.shape[0], : rgb.shape[1]]

    def size_notes(self, width_px: int, height_px: int) -> tuple[str, ...]:
        return (f"{self._note}{width_px} × {height_px}",) if self._note else ()


def _estimate(slot, pixels: np.ndarray, quality: int = pb.DEPTH_QUALITY_UNSPECIFIED, context=CONTEXT):
    servicer = DepthServicer(slot, Admission("depth", 1, 1))
    options = pb.DepthOptions(depth_quality=quality)
    return servicer.EstimateDepth(pb.EstimateDepthRequest(image=image_to_proto(pixels), options=options), context)


def test_depth_comes_with_what_ran_and_how_long():
    answer = _estimate(SimpleNamespace(get=_Backend), np.zeros((20, 30, 3), np.uint8))
    assert np.abs(depth_from_proto(answer.depth) - RAMP).max() < 2e-3
    assert (answer.report.backend, answer.report.model_digest, answer.report.licence) == ("fake", "ab", "MIT")
    assert not answer.report.notes


def test_the_backends_note_on_the_photos_size_is_width_by_height():
    answer = _estimate(SimpleNamespace(get=lambda: _Backend("seen at ")), np.zeros((20, 30, 3), np.uint8))
    assert list(answer.report.notes) == ["seen at 30 × 20"]


def test_without_a_model_the_reason_is_the_answer():
    slot = ModelHolder("depth", lambda: None)
    with pytest.raises(StageUnavailable, match="still loading"):
        _estimate(slot, np.zeros((20, 30, 3), np.uint8))


def test_a_mask_where_a_photo_was_wanted_is_refused():
    with pytest.raises(InvalidImage):
        _estimate(SimpleNamespace(get=_Backend), np.zeros((20, 30), np.uint8))


def test_high_quality_looks_six_times_and_says_so():
    backend = _Backend()
    photo = np.zeros((20, 30, 3), np.uint8)
    answer = _estimate(SimpleNamespace(get=lambda: backend), photo, pb.DEPTH_QUALITY_HIGH)
    assert backend.seen == [(20, 30)] * 2 + [(12, 18)] * 4
    assert depth_from_proto(answer.depth).shape == (20, 30)
    assert "6 estimates" in answer.report.notes[0]


def test_standard_quality_looks_once():
    backend = _Backend()
    _estimate(SimpleNamespace(get=lambda: backend), np.zeros((20, 30, 3), np.uint8), pb.DEPTH_QUALITY_STANDARD)
    assert backend.seen == [(20, 30)]


def test_time_that_runs_out_between_the_looks_ends_the_call():
    backend = _Backend()
    context = SimpleNamespace(**vars(CONTEXT) | {"time_remaining": lambda: 60.0 if len(backend.seen) < 3 else -1.0})
    with pytest.raises(DeadlineExceeded):
        _estimate(SimpleNamespace(get=lambda: backend), np.zeros((20, 30, 3), np.uint8), pb.DEPTH_QUALITY_HIGH, context)
    assert len(backend.seen) == 3


def test_on_a_gpu_as_many_calls_run_side_by_side_as_a_batch_takes():
    settings, batching = share_runs(DepthSettings(), gpus=1)
    assert settings.concurrency == GPU_BATCH
    assert batching is not None


def test_on_a_cpu_nothing_is_batched_unless_it_is_asked_for():
    assert share_runs(DepthSettings(concurrency=2), gpus=0) == (DepthSettings(concurrency=2), None)
    settings, batching = share_runs(DepthSettings(batch=4), gpus=0)
    assert settings.concurrency == 4
    assert batching is not None
    assert batching.most == 4


def test_batching_can_be_switched_off_on_a_gpu():
    settings, batching = share_runs(DepthSettings(batch=1), gpus=1)
    assert (settings.concurrency, batching) == (1, None)


def test_a_waiting_photo_learns_that_its_caller_left():
    class Waits(_Backend):
        def estimate(self, rgb: np.ndarray, check) -> np.ndarray:
            context.is_active = lambda: False
            check()
            pytest.fail("must have stopped")

    context = SimpleNamespace(**vars(CONTEXT))
    with pytest.raises(CallAbandonedError):
        _estimate(SimpleNamespace(get=Waits), np.zeros((20, 30, 3), np.uint8), context=context)


def test_calls_side_by_side_meet_in_one_run_of_the_network():
    runs: list[int] = []

    def run(photos: list[np.ndarray]) -> list[np.ndarray]:
        runs.append(len(photos))
        return [photo[..., 0].astype(np.float32) for photo in photos]

    batching = BatchOptions(most=3, max_wait_s=30.0)  # only a full batch goes before the time limit
    with Batcher(run, batching) as batcher:

        class Batched(_Backend):
            def estimate(self, rgb: np.ndarray, check) -> np.ndarray:
                return batcher.ask(rgb, rgb.shape, check)

        servicer = DepthServicer(SimpleNamespace(get=Batched), Admission("depth", 3, 3))
        photos = [np.full((20, 30, 3), 60 * i, np.uint8) for i in (1, 2, 3)]
        asked = [pb.EstimateDepthRequest(image=image_to_proto(photo)) for photo in photos]
        with ThreadPoolExecutor(3) as callers:
            answers = list(callers.map(lambda request: servicer.EstimateDepth(request, CONTEXT), asked))
    assert runs == [3]
    assert [round(float(depth_from_proto(answer.depth).max())) for answer in answers] == [60, 120, 180]
