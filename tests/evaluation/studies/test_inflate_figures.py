"""The figures of the embedded mesher and of the quality gate follow what is put in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evaluation.sets import FIXED, Item, open_set
from evaluation.studies.billboards import Judgement, as_table, judge_meshes, make_billboard
from evaluation.studies.framed_item import FramedItem, frame_item
from evaluation.studies.inflate_figures import Row, judge_item
from evaluation.studies.inflate_figures import as_table as figures_table
from evaluation.studies.inflate_views import SHOWN, draw_item
from evaluation.studies.rim_colours import rim_share
from services.mesher.geometry.camera import Camera
from services.mesher.geometry.mesh import is_watertight
from services.mesher.inflate import inflate

pytestmark = pytest.mark.slow
ITEMS = {item.name: item for item in open_set(FIXED)}


@pytest.fixture(scope="module")
def mug() -> Item:
    return ITEMS["p0208_mug"]


@pytest.fixture(scope="module")
def framed(mug: Item) -> FramedItem:
    assert mug.truth is not None
    return frame_item(mug, mug.truth)


def test_photo_is_drawn_where_the_cutout_is(framed: FramedItem) -> None:
    inner = framed.rgba[..., 3] == 255
    difference = np.abs(framed.photo.astype(int) - framed.rgba[..., :3])[inner]
    assert difference.mean() < 4, difference.mean()
    assert np.mean((framed.exact >= 0.5) == (framed.rgba[..., 3] >= 128)) > 0.995


def test_rim_in_the_colours_of_the_surroundings_is_counted() -> None:
    v, u = np.mgrid[:256, :256] + 0.5
    exact = np.clip(90 - np.hypot(u - 128, v - 128), 0, 1).astype(np.float32)
    photo = np.where((exact >= 0.5)[..., None], (200, 40, 40), (20, 40, 220)).astype(np.uint8)
    rgba = np.dstack([photo, np.rint(255 * exact).astype(np.uint8)])
    framed = FramedItem(rgba, None, Camera(400.0, 128.0, 128.0), photo, exact)
    mesh = inflate(rgba, None, framed.camera, 6_000)
    assert mesh.colours is not None
    blue = np.broadcast_to(np.array((20, 40, 220), np.uint8), mesh.colours.shape)
    assert rim_share(mesh, framed) == 0.0
    assert rim_share(replace(mesh, colours=blue), framed) == 1.0
    grey = replace(framed, photo=np.full_like(photo, 128))
    assert rim_share(replace(mesh, colours=blue), grey) == 0.0  # nothing can be told apart


@pytest.mark.parametrize("thickness", [0.01, 0.05])
def test_billboard_is_closed_and_as_thin_as_asked_for(framed: FramedItem, thickness: float) -> None:
    alpha = framed.rgba[..., 3].astype(np.float32) / np.float32(255)
    slab = make_billboard(alpha, framed.camera, thickness)
    assert is_watertight(slab.faces)
    assert np.ptp(slab.vertices[:, 2]) == pytest.approx(thickness, rel=0.1)


@pytest.mark.parametrize("name", ["p0208_mug", "p0215_chair"])
def test_gate_flags_billboards_and_no_exact_mesh(name: str) -> None:
    judged = judge_meshes(ITEMS[name])
    assert {one.kind for one in judged if one.is_flagged} == {"billboard 1%", "billboard 5%"}
    assert all(one.is_flagged for one in judged if one.kind != "exact")


def test_table_of_the_gate_counts_what_is_flagged(mug: Item) -> None:
    quality = judge_meshes(mug)[0].quality
    flat = replace(quality, is_flat=True, is_truly_flat=True, verdict_kind="flat")
    rows = [Judgement("a", "exact", True, False, quality), Judgement("b", "exact", True, True, flat)]
    assert "| exact | yes | 1 of 2 | 1 of 1 | 2 of 2 |" in as_table(rows)


def test_useless_depth_gives_the_figures_of_the_mask_alone(mug: Item) -> None:
    rows = {row.variant: row.figures for row in judge_item(mug, ITEMS["p0209_vase"], with_alignment=False)}
    alone = rows.pop("exact mask only")
    assert rows["depth, exact mask"]["f@0.1"] > alone["f@0.1"]
    for kind in ("constant", "inverted", "of another"):
        assert rows[f"useless depth: {kind}"]["f@0.1"] == pytest.approx(alone["f@0.1"], abs=0.01)


def test_table_of_figures_shows_means_and_the_most_faces() -> None:
    rows = [Row("variant", {"f@0.1": value, "faces": 100 * value}) for value in (0.25, 0.75)]
    line = figures_table(rows).splitlines()[2]
    assert "| 0.500 |" in line and "| 75 |" in line


def test_shown_scenes_exist_and_are_drawn_with_eight_tiles(mug: Item) -> None:
    assert set(SHOWN) <= set(ITEMS)
    picture = draw_item(mug, clay=True)
    assert picture.shape[1] > 3.5 * picture.shape[0] / 2
