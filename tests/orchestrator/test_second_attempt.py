"""The mesh and its gate: once where it is good, twice where that may help, the better one handed over."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from services.common.errors import (
    Overloaded,
    StageUnavailable,
)
from services.orchestrator.requests import read_wishes
from tests.orchestrator.stand_ins import DISC, NEVER, PHOTO, Mesher, alpha_of, quality
from unflat.v1 import mesher_pb2
from unflat.v1 import orchestrator_pb2 as pb


def test_a_good_mesh_is_meshed_once_with_depth(bench):
    made = bench.mesh()
    assert made.mesh == b"mesh 1"
    assert len(bench.mesher.jobs) == 1
    assert bench.mesher.jobs[0].depth is not None
    assert bench.mesher.jobs[0].frame.shape == (512, 512, 4)
    assert not made.receipt.HasField("other_attempt")


BAD = {"flat": quality(flat=True, score=0.3), "open": quality(score=0.3, watertight=False)}


@pytest.mark.parametrize("bad", BAD)
def test_a_flat_or_broken_mesh_is_tried_without_depth_and_the_better_one_returned(bench, bad):
    bench.mesher.qualities = [BAD[bad], quality(score=0.8)]
    made = bench.mesh()
    assert made.mesh == b"mesh 2"
    assert bench.mesher.jobs[1].depth is None
    assert made.receipt.mesh.score == pytest.approx(0.8)
    assert made.receipt.other_attempt.score == pytest.approx(0.3)
    assert "without depth's relief was taken (0.80 against 0.30)" in made.receipt.verdict


def test_a_worse_second_attempt_is_not_returned_but_said(bench):
    bench.mesher.qualities = [quality(flat=True, score=0.5), quality(flat=True, score=0.2)]
    made = bench.mesh()
    assert made.mesh == b"mesh 1"
    assert made.receipt.other_attempt.score == pytest.approx(0.2)
    assert "with depth's relief was taken (0.50 against 0.20)" in made.receipt.verdict


def test_a_truly_flat_subject_is_left_alone(bench):
    bench.mesher.qualities = [quality(flat=True, truly_flat=True)]
    bench.mesh()
    assert len(bench.mesher.jobs) == 1


@pytest.mark.parametrize("how", ["no depth", "depth not used"])
def test_there_is_no_second_attempt_where_it_would_be_the_same(bench, how):
    bench.mesher.qualities = [quality(flat=True, score=0.3)]
    if how == "no depth":
        made = bench.mesh(depth="DEPTH_MODE_OFF")
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


def test_a_finished_mesh_is_handed_out_even_when_the_time_is_just_up(bench):
    run = bench.run()
    bench.mesher.qualities = [quality(flat=True, score=0.3)]
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
    class Silent(Mesher):
        async def mesh(self, job, timeout_s):
            yield mesher_pb2.StageProgress(step="shape", fraction=0.5)

    bench.mesher = Silent()
    with pytest.raises(StageUnavailable, match="without a mesh"):
        bench.mesh()


def test_the_cutout_comes_with_the_mesh(bench):
    assert np.mean((alpha_of(bench.mesh().cutout) > 127) == DISC) > 0.995
