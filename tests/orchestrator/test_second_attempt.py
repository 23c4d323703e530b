"""The mesh and its gate: once where it is good, twice where that may help, the better one handed over."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from services.common.errors import DeadlineExceeded, Overloaded, StageUnavailable
from services.orchestrator.request_options import parse_request_options
from tests.orchestrator.stand_ins import (
    DISC,
    NEAR,
    NEVER,
    PHOTO,
    SIDE,
    Bench,
    Mesher,
    alpha_of,
    archive,
    encoded,
    quality,
)
from unflat.v1 import mesher_pb2
from unflat.v1 import orchestrator_pb2 as pb


def test_a_good_mesh_is_meshed_once_with_depth(bench):
    made = bench.mesh()
    assert made.mesh == b"mesh 1"
    assert len(bench.mesher.jobs) == 1
    assert bench.mesher.jobs[0].depth is not None
    assert bench.mesher.jobs[0].frame.shape == (512, 512, 4)
    assert not made.receipt.attempts


BAD = {"flat": quality(flat=True, score=0.3), "open": quality(score=0.3, watertight=False)}


@pytest.mark.parametrize("bad", BAD)
def test_a_flat_or_broken_mesh_is_tried_without_depth_and_the_better_one_returned(bench, bad):
    bench.mesher.qualities = [BAD[bad], quality(score=0.8)]
    made = bench.mesh()
    assert made.mesh == b"mesh 2"
    assert bench.mesher.jobs[1].depth is None
    assert made.receipt.mesh.score == pytest.approx(0.8)
    first, second = made.receipt.attempts
    assert (first.made_of, second.made_of) == ("the mask with depth's relief", "the mask without depth's relief")
    assert (first.quality.score, second.quality.score) == (pytest.approx(0.3), pytest.approx(0.8))
    assert (first.returned, second.returned) == (False, True)
    assert "the one of the mask without depth's relief was taken" in made.receipt.verdict


def test_a_worse_second_attempt_is_not_returned_but_said(bench):
    bench.mesher.qualities = [quality(flat=True, score=0.5), quality(flat=True, score=0.2)]
    made = bench.mesh()
    assert made.mesh == b"mesh 1"
    assert [attempt.returned for attempt in made.receipt.attempts] == [True, False]
    assert made.receipt.attempts[1].quality.score == pytest.approx(0.2)
    assert "the one of the mask with depth's relief was taken" in made.receipt.verdict


def test_a_truly_flat_subject_is_left_alone(bench):
    bench.mesher.qualities = [quality(flat=True, truly_flat=True)]
    bench.mesh()
    assert len(bench.mesher.jobs) == 1


# ── another mask ────────────────────────────────────────────────────────────────────────────────────────────────────

LEAK = (DISC | ((np.abs(np.arange(SIDE) - 48)[:, None] < 14) & (np.arange(SIDE) > 48))).astype(np.float32)
FLAT = {"flat": True, "score": 0.3}


def _leaking(bench: Bench, *found: Any) -> Bench:
    """Let refinement spill over the photo's right half, and the mesher answer `found`."""
    bench.segmentation.alpha, bench.segmentation.raw_alpha = LEAK, DISC.astype(np.float32)
    bench.mesher.qualities = list(found)
    return bench


@pytest.mark.parametrize("fault", [FLAT, {"watertight": False}, {"silhouette_iou": 0.6}], ids=["flat", "open", "other"])
def test_a_mask_whose_outline_nothing_confirms_is_to_blame(bench, fault):
    made = _leaking(bench, quality(**fault), quality(score=0.95)).mesh(depth=False)
    assert made.mesh == b"mesh 2"
    assert made.receipt.attempts[1].made_of == "the raw mask"
    assert made.receipt.attempts[1].boundary_contrast > made.receipt.attempts[0].boundary_contrast


def test_the_cutout_and_the_facts_are_those_of_the_mesh_that_is_returned(bench):
    made = _leaking(bench, quality(**FLAT), quality(score=0.8)).mesh(depth=False)
    assert np.mean((alpha_of(made.cutout) > 127) == DISC) > 0.99
    assert made.receipt.mask.coverage == pytest.approx(DISC.mean(), abs=0.02)
    assert not made.receipt.mask.touches
    assert not any("border" in warning for warning in made.receipt.warnings)


def test_a_leak_does_not_win_by_explaining_itself(bench):
    """Held against its own mask the leaking mesh is as good as the other one: the photo decides."""
    _leaking(bench, quality(score=0.8, silhouette_iou=0.79), quality(score=0.8))
    assert bench.mesh(depth=False).mesh == b"mesh 2"


def test_where_depth_changed_the_mask_and_the_mesh_is_not_its_shape_segmentations_own_is_next(bench):
    half = np.where(np.arange(SIDE) < 60, NEAR, 0.2 + 0.001 * np.arange(SIDE)).astype(np.float32)
    bench.mesher.qualities = [quality(silhouette_iou=0.6, score=0.5), quality(score=0.8)]
    made = bench.mesh(strategy="STRATEGY_INTERSECTION", depth_map=archive(half))
    assert made.receipt.attempts[1].made_of == "segmentation's mask with depth's relief"
    assert bench.mesher.jobs[1].depth is not None
    assert np.mean((alpha_of(made.cutout) > 127) == DISC) > 0.99


def test_what_lies_behind_is_cut_off_by_depth_where_segmentation_leaks_throughout(bench):
    bench.segmentation.alpha = LEAK
    bench.mesher.qualities = [quality(**FLAT), quality(score=0.8)]
    made = bench.mesh(strategy="STRATEGY_SEGMENTATION")
    assert made.receipt.attempts[1].made_of == "the mask cut by depth with depth's relief"


def test_a_mask_that_is_confirmed_much_less_is_not_tried(bench):
    bench.segmentation.raw_alpha = LEAK
    bench.mesher.qualities = [quality(silhouette_iou=0.6)]
    made = bench.mesh()
    assert made.mesh == b"mesh 1"
    assert not made.receipt.attempts


def test_a_mask_of_the_callers_own_is_never_replaced(bench):
    bench.mesher.qualities = [quality(**FLAT), quality(score=0.8)]
    made = bench.mesh(mask=encoded((LEAK * 255).astype(np.uint8)))
    assert made.receipt.attempts[1].made_of == "the mask without depth's relief"
    assert bench.mesher.jobs[1].depth is None


@pytest.mark.parametrize("how", ["no depth", "depth not used"])
def test_there_is_no_second_attempt_where_it_would_be_the_same(bench, how):
    bench.mesher.qualities = [quality(flat=True, score=0.3)]
    if how == "no depth":
        made = bench.mesh(depth=False)
        assert "there was no depth to tell how deep it is" in made.receipt.verdict
    else:
        bench.mesh(options=mesher_pb2.MeshOptions(use_depth=False))
    assert len(bench.mesher.jobs) == 1


def test_there_is_no_second_attempt_without_the_time_for_it(bench):
    bench.mesher.qualities, bench.mesher.took_s = [quality(flat=True, score=0.3)], NEVER
    assert bench.mesh().mesh == b"mesh 1"


def test_a_second_attempt_that_fails_leaves_the_first(bench):
    bench.mesher.qualities = [quality(flat=True, score=0.3), Overloaded("the mesher is busy")]
    made = bench.mesh()
    assert made.mesh == b"mesh 1"
    assert any("second attempt" in warning and "busy" in warning for warning in made.receipt.warnings)


def test_a_second_attempt_leaves_time_to_hand_out_the_first(bench):
    bench.mesher.qualities = [quality(flat=True, score=0.3), DeadlineExceeded("the mesher did not answer in time")]
    assert bench.mesh().mesh == b"mesh 1"
    assert bench.mesher.entered[1] < 0.85 * bench.mesher.entered[0]


def test_a_finished_mesh_is_handed_out_even_when_the_time_is_just_up(bench):
    run = bench.run()
    bench.mesher.qualities = [quality(flat=True, score=0.3)]
    bench.mesher.after = lambda: setattr(run, "_deadline", 0.0)
    options = parse_request_options(pb.MaskOptions(), pb.CutoutOptions())
    photo = pb.Photo(file=PHOTO)
    made = asyncio.run(bench.pipeline().generate_mesh(photo, options, mesher_pb2.MeshOptions(), run, debug=False))
    assert made.mesh == b"mesh 1"


def test_a_mesher_that_fails_is_the_answer(bench):
    bench.mesher.qualities = [StageUnavailable("no mesher")]
    with pytest.raises(StageUnavailable, match="no mesher"):
        bench.mesh()


def test_a_mesher_that_ends_without_a_mesh_is_unavailable(bench):
    class Silent(Mesher):
        async def mesh(self, job, timeout_s):
            yield mesher_pb2.StageProgress(step="shape", fraction=0.5)

    bench.mesher = Silent()
    with pytest.raises(StageUnavailable, match="without a mesh"):
        bench.mesh()


def test_the_cutout_comes_with_the_mesh(bench):
    assert np.mean((alpha_of(bench.mesh().cutout) > 127) == DISC) > 0.995
