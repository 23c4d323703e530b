"""The segmentation service's glue."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from services.common.errors import DeadlineExceeded, InvalidImage, InvalidOption, ModelMissing, NoSubject
from services.common.serving.admission import Admission
from services.common.wire import alpha_from_proto, image_to_proto
from services.segmentation.backends.base import RawMask
from services.segmentation.served_models import ServedModels
from services.segmentation.server import SegmentationServicer, refine_options
from unflat.v1 import segmentation_pb2 as pb

SIDE = 96
_Y, _X = np.mgrid[0:SIDE, 0:SIDE]
DISC = np.hypot(_X - 48, _Y - 48) < 30
PHOTO = np.where(DISC[:, :, None], np.uint8([200, 60, 40]), np.uint8([60, 90, 160]))


class _Backend:
    name, device, dtype, digest, licence, notes = "fake", "cpu", "float32", "", "", ()
    file_bytes = 0

    def __init__(self, alpha: np.ndarray, score: float = 1.0) -> None:
        self._raw = RawMask(alpha.astype(np.float32), score)

    def load(self) -> None:
        pass

    def close(self) -> None:
        pass

    def segment(self, rgb: np.ndarray) -> RawMask:
        return self._raw


def _context(left_s: float) -> SimpleNamespace:
    return SimpleNamespace(
        is_active=lambda: True,
        time_remaining=lambda: left_s,
        add_callback=lambda _: None,
        invocation_metadata=lambda: (),
    )


def _segment(alpha: np.ndarray = DISC, score: float = 1.0, left_s: float = 60.0, **request: object):
    context = _context(left_s)
    models = ServedModels.only(_Backend(alpha, score))
    values = {"image": image_to_proto(PHOTO)} | request
    return SegmentationServicer(models, Admission("segmentation", 1, 1)).Segment(pb.SegmentRequest(**values), context)


def test_a_mask_comes_with_what_ran():
    answer = _segment()
    assert np.mean((alpha_from_proto(answer.mask) > 0.5) == DISC) > 0.98
    assert answer.report.backend == "fake"
    assert answer.report.timings.postprocess_s > 0


def test_what_the_mask_was_made_of_comes_only_when_asked_for():
    assert not _segment().HasField("raw_mask")
    explained = _segment(explain=True)
    assert np.array_equal(alpha_from_proto(explained.raw_mask) > 0.5, DISC)


@pytest.mark.parametrize(("alpha", "score"), [(DISC * 0.3, 0.3), (np.zeros_like(DISC), 1.0)], ids=["unsure", "empty"])
def test_a_network_that_saw_nothing_is_no_subject(alpha, score):
    with pytest.raises(NoSubject, match="fake is at most"):
        _segment(alpha, score)


@pytest.mark.parametrize("model", ["", "auto", "fake"])
def test_the_model_that_runs_may_be_named(model):
    assert _segment(options=pb.SegmentationOptions(model=model)).report.backend == "fake"


def test_another_model_does_not_run_where_there_is_one():
    with pytest.raises(ModelMissing, match="u2net does not run here, fake does"):
        _segment(options=pb.SegmentationOptions(model="u2net"))


def test_what_was_asked_for_and_is_not_so_stands_on_the_receipt(monkeypatch):
    monkeypatch.setattr(_Backend, "notes", ("a GPU was asked for and openvino is used: none is here",))
    assert _segment().report.notes[0] == "a GPU was asked for and openvino is used: none is here"


def test_a_call_without_time_left_does_not_compute():
    with pytest.raises(DeadlineExceeded):
        _segment(left_s=0.0)


def test_a_picture_that_is_none_is_refused():
    with pytest.raises(InvalidImage):
        _segment(image=image_to_proto(np.zeros((8, 8), np.uint8)))


@pytest.mark.parametrize(
    ("message", "field"),
    [(pb.SegmentationOptions(kernel_size=9), "kernel_size"), (pb.SegmentationOptions(blur_size=4), "blur_size"),
     (pb.SegmentationOptions(preset=99), "preset")],
)  # fmt: skip
def test_an_option_out_of_range_is_named(message, field):
    with pytest.raises(InvalidOption) as caught:
        refine_options(message)
    assert caught.value.field == field


def test_what_is_set_goes_before_the_preset():
    options = refine_options(pb.SegmentationOptions(preset=pb.PRESET_FAST, use_grabcut=True))
    assert (options.preset, options.use_grabcut) == ("fast", True)
    assert not refine_options(pb.SegmentationOptions(preset=pb.PRESET_QUALITY, use_grabcut=False)).use_grabcut


class _UnsureAtFirst(_Backend):
    """Knows only in the mirrored photo and in crops what it did not know at first."""

    def __init__(self) -> None:
        super().__init__(np.where(_Y > 60, DISC * 0.35, DISC))
        self.runs = 0

    def segment(self, rgb: np.ndarray) -> RawMask:
        self.runs += 1
        return self._raw if self.runs == 1 else RawMask((rgb[..., 0] > 150).astype(np.float32), 1.0)


def _segment_with(backend: object, preset: int, left_s: float = 60.0) -> pb.SegmentResponse:
    context = _context(left_s)
    models = ServedModels.only(backend)
    request = pb.SegmentRequest(image=image_to_proto(PHOTO), options=pb.SegmentationOptions(preset=preset))
    return SegmentationServicer(models, Admission("segmentation", 1, 1)).Segment(request, context)


def test_quality_augments_where_the_network_was_unsure_and_says_so():
    backend = _UnsureAtFirst()
    answer = _segment_with(backend, pb.PRESET_QUALITY)
    assert backend.runs == 3
    assert np.mean((alpha_from_proto(answer.mask) > 0.5) == DISC) > 0.98
    assert any("3 views" in note for note in answer.report.notes)


@pytest.mark.parametrize("preset", [pb.PRESET_FAST, pb.PRESET_BALANCED])
def test_other_presets_run_the_network_once(preset):
    backend = _UnsureAtFirst()
    _segment_with(backend, preset)
    assert backend.runs == 1


def test_a_view_without_a_subject_changes_nothing():
    class Blind(_UnsureAtFirst):
        def segment(self, rgb: np.ndarray) -> RawMask:
            if self.runs:
                raise NoSubject("nothing stands out")
            return super().segment(rgb)

    answer = _segment_with(Blind(), pb.PRESET_QUALITY)
    assert any("2 dropped" in note for note in answer.report.notes)


def test_a_caller_in_a_hurry_gets_the_first_mask(monkeypatch):
    monkeypatch.setattr("services.segmentation.server._AUGMENTATION_COST", 1e12)
    backend = _UnsureAtFirst()
    answer = _segment_with(backend, pb.PRESET_QUALITY)
    assert backend.runs == 1
    assert "no time for test-time augmentation" in answer.report.notes


def test_a_mask_of_grabcut_comes_back_as_it_is():
    backend = _UnsureAtFirst()
    backend.name = "grabcut"
    answer = _segment_with(backend, pb.PRESET_QUALITY)
    assert backend.runs == 1
    assert np.allclose(alpha_from_proto(answer.mask), backend._raw.alpha, atol=1 / 255)
