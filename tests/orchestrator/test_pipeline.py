"""The way of a photo: side by side, with a receipt, progress, and callers who leave."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from services.orchestrator.request_options import parse_request_options
from tests.orchestrator.stand_ins import DISC, PHOTO, SIDE, Depth, Segmentation, alpha_of, encoded, pixels, stage_of
from unflat.v1 import mesher_pb2
from unflat.v1 import orchestrator_pb2 as pb


def test_segmentation_and_depth_run_side_by_side(bench):
    """Each waits for the other to have begun: one after the other would never end."""
    first, second = asyncio.Event(), asyncio.Event()

    class Left(Segmentation):
        async def segment(self, *given, **rest):
            first.set()
            await second.wait()
            return await super().segment(*given, **rest)

    class Right(Depth):
        async def estimate(self, *given):
            second.set()
            await first.wait()
            return await super().estimate(*given)

    bench.segmentation, bench.depth, bench.budget_s = Left(), Right(), 20.0
    assert stage_of(bench.cut().receipt, "depth").outcome == pb.OUTCOME_OK


def test_the_cutout_is_the_segmented_disc_in_the_photos_size(bench):
    made = bench.cut()
    assert made.media_type == "image/png"
    assert np.mean((alpha_of(made.image) > 127) == DISC) > 0.995


def test_the_mask_alone_comes_as_a_grey_picture(bench):
    mask = np.asarray(Image.open(io.BytesIO(bench.cut(mask_only=True).image)))
    assert mask.shape == (SIDE, SIDE)
    assert np.mean((mask > 127) == DISC) > 0.995


def test_debug_pictures_come_only_when_asked_for(bench):
    assert not bench.cut().debug
    names = {picture.name for picture in bench.cut(debug=True).debug}
    assert {"raw", "segmentation", "hybrid", "depth"} <= names


def test_a_mesh_explained_shows_the_photo_too(bench):
    pictures = {picture.name: picture.png for picture in bench.mesh(debug=True).debug}
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(pictures["photo"]))), pixels())


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
    first = Image.fromarray(pixels())
    first.save(out, "TIFF", save_all=True, append_images=[first])
    receipt = bench.cut(out.getvalue()).receipt
    assert receipt.photo.frames == 2
    assert any("2 pictures" in warning for warning in receipt.warnings)


def test_a_subject_at_the_border_is_said(bench):
    square = np.zeros((SIDE, SIDE), np.uint8)
    square[20:70, :50] = 255
    receipt = bench.mesh(mask=encoded(square)).receipt
    assert list(receipt.mask.touches) == ["left"]
    assert any("left border" in warning for warning in receipt.warnings)


@pytest.mark.parametrize("where", ["segmentation", "mesher"])
def test_a_cancelled_request_cancels_what_it_waits_for_and_leaves_no_task(bench, where):
    async def scenario() -> set[Any]:
        stage = getattr(bench, where)
        stage.gate = asyncio.Event()
        if where == "segmentation":
            bench.depth.gate = asyncio.Event()
        options = parse_request_options(pb.MaskOptions(), pb.CutoutOptions())
        task = asyncio.create_task(
            bench.pipeline().generate_mesh(
                pb.Photo(file=PHOTO), options, mesher_pb2.MeshOptions(), bench.run(), debug=False
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
