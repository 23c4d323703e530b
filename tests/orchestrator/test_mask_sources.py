"""Who says what the subject is: segmentation, the caller's mask, or the photo's own alpha."""

from __future__ import annotations

import asyncio
import io

import imagecodecs
import numpy as np
import pytest
from PIL import ExifTags, Image

from services.common.errors import (
    DeadlineExceeded,
    Internal,
    InvalidOption,
    NoSubject,
    StageUnavailable,
)
from services.common.photos.raster import turn_upright
from tests.orchestrator.stand_ins import DISC, SIDE, alpha_of, encoded, pixels, stage_of
from unflat.v1 import orchestrator_pb2 as pb

# ── segmentation decides ──────────────────────────────────────────────────────────────────────────────────────────────


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
        bench.cut(mask=encoded(np.zeros((SIDE, SIDE), np.uint8)))


def test_no_subject_states_the_size_of_the_upright_photo(bench):
    bench.segmentation.problem = NoSubject("nothing")
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    out = io.BytesIO()
    Image.fromarray(pixels()[:40]).save(out, "JPEG", exif=exif)
    for ask in (bench.cut, bench.mesh):
        with pytest.raises(NoSubject) as caught:
            ask(out.getvalue())
        assert caught.value.facts == {"width": "40", "height": str(SIDE)}


# ── what the caller brings ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("by", ["own alpha", "supplied mask"])
def test_colours_under_a_mask_that_we_did_not_make_stay_as_they_are(bench, dtype, by):
    full = np.iinfo(dtype).max
    rng = np.random.default_rng(3)
    colours = rng.integers(0, full, (SIDE, SIDE, 3)).astype(dtype)
    soft = np.rint(np.clip((SIDE * 0.4 - np.hypot(*(np.mgrid[0:SIDE, 0:SIDE] - SIDE / 2))) / 8, 0, 1) * full).astype(
        dtype
    )
    cut = imagecodecs.png_encode(np.dstack([colours, soft]))
    if by == "own alpha":
        result = bench.cut(cut)
    else:
        result = bench.cut(imagecodecs.png_encode(colours), mask=imagecodecs.png_encode(soft))
    found = imagecodecs.png_decode(result.image)
    assert np.array_equal(found[:, :, 3], soft)
    assert np.array_equal(found[soft > 0], np.dstack([colours, soft])[soft > 0])
    again = imagecodecs.png_decode(bench.cut(result.image).image)
    assert np.array_equal(again, found)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("lies", ["upright", "as stored"])
def test_a_supplied_mask_may_lie_on_the_upright_or_on_the_stored_pixels(bench, orientation, lies):
    stored = np.full((60, 90, 3), 90, np.uint8)
    stored[8:30, 10:40] = (220, 40, 40)
    mask = np.zeros((60, 90), np.uint8)
    mask[8:30, 10:40] = 255
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    out = io.BytesIO()
    Image.fromarray(stored).save(out, "PNG", exif=exif)
    upright = np.ascontiguousarray(turn_upright(mask, orientation))
    result = bench.cut(out.getvalue(), mask=encoded(upright if lies == "upright" else mask))
    assert np.array_equal(alpha_of(result.image), upright)
    assert any("Orientation" in said for said in result.receipt.warnings) == (lies == "as stored" and orientation != 1)


def test_a_supplied_mask_replaces_segmentation_and_depth_does_not_change_it(bench):
    square = np.zeros((SIDE, SIDE), np.uint8)
    square[20:70, 30:60] = 255
    made = bench.cut(mask=encoded(square))
    assert np.array_equal(alpha_of(made.image), square)
    assert stage_of(made.receipt, "segmentation").outcome == pb.OUTCOME_SUPPLIED
    assert not bench.segmentation.entered


def test_an_inverted_mask_is_turned_over_and_said(bench):
    made = bench.cut(mask=encoded(np.where(DISC, 0, 255).astype(np.uint8)))
    assert np.array_equal(alpha_of(made.image) > 127, DISC)
    assert any("turned over" in warning for warning in made.receipt.warnings)


def test_a_mask_of_another_shape_is_refused_with_both_sizes(bench):
    with pytest.raises(InvalidOption, match=r"48 × 90 px, the photo 96 × 96") as caught:
        bench.cut(mask=encoded(np.zeros((90, 48), np.uint8)))
    assert caught.value.field == "mask"


def test_a_mask_at_half_the_photos_size_is_taken(bench):
    made = bench.cut(mask=encoded((DISC[::2, ::2] * 255).astype(np.uint8)))
    assert np.mean((alpha_of(made.image) > 127) == DISC) > 0.97


def test_a_photo_that_is_already_cut_keeps_its_alpha(bench):
    alpha = (DISC * 255).astype(np.uint8)
    made = bench.cut(encoded(np.dstack([pixels(), alpha])))
    assert np.array_equal(alpha_of(made.image), alpha)
    assert made.receipt.mask.source == pb.MASK_SOURCE_OWN_ALPHA
    assert made.receipt.photo.own_alpha
    assert stage_of(made.receipt, "segmentation").outcome == pb.OUTCOME_SUPPLIED


def test_an_alpha_that_hides_nothing_is_segmented(bench):
    made = bench.cut(encoded(np.dstack([pixels(), np.full((SIDE, SIDE), 255, np.uint8)])))
    assert made.receipt.mask.source == pb.MASK_SOURCE_SEGMENTATION
    assert not made.receipt.photo.own_alpha
    assert bench.segmentation.entered


def test_an_alpha_that_hides_everything_is_no_subject(bench):
    with pytest.raises(NoSubject, match="transparent everywhere"):
        bench.cut(encoded(np.dstack([pixels(), np.zeros((SIDE, SIDE), np.uint8)])))


def test_a_supplied_mask_goes_before_the_photos_alpha_and_is_named_so(bench):
    square = np.zeros((SIDE, SIDE), np.uint8)
    square[20:70, 30:60] = 255
    made = bench.cut(encoded(np.dstack([pixels(), (DISC * 255).astype(np.uint8)])), mask=encoded(square))
    assert np.array_equal(alpha_of(made.image), square)
    assert made.receipt.mask.source == pb.MASK_SOURCE_SUPPLIED
