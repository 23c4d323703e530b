"""Which views stand out: broken masks do, a turning handle does not."""

from __future__ import annotations

import numpy as np
import pytest

from services.cli.photo_sets.consistency import LEAST_VIEWS, Features, find_doubts, measure
from services.cli.photo_sets.thumbnails import Thumbnail

GREY = np.full(8, 1 / 8, np.float32)
BREAKS = {
    "the disc came along": lambda turn: turn.mug | turn.disc,
    "the lower half is lost": lambda turn: turn.mug & (np.arange(240)[:, None] < 120),
    "the left half is lost": lambda turn: turn.mug & (np.arange(320)[None] < 160),
    "it is empty": lambda turn: np.zeros_like(turn.mug),
    "it is turned over": lambda turn: ~turn.mug,
    "it is the disc": lambda turn: turn.disc & ~turn.mug,
}


def _view(turn, mask):
    return Thumbnail(turn.photo, mask.astype(np.uint8) * 255)


def test_a_mug_that_turns_has_no_view_that_stands_out(turns):
    assert find_doubts([measure(_view(turn, turn.mug)) for turn in turns]) == []


@pytest.mark.parametrize("name", BREAKS)
@pytest.mark.parametrize("which", [0, 4, 11])
def test_a_broken_mask_stands_out_alone(turns, name, which):
    masks = [turn.mug for turn in turns]
    masks[which] = BREAKS[name](turns[which])
    doubts = find_doubts([measure(_view(turn, mask)) for turn, mask in zip(turns, masks, strict=True)])
    assert [doubt.index for doubt in doubts] == [which]
    assert doubts[0].excess > 1
    assert doubts[0].reasons


def test_two_broken_neighbours_do_not_hide_each_other(turns):
    masks = [turn.mug for turn in turns]
    masks[5], masks[6] = (turns[i].mug | turns[i].disc for i in (5, 6))
    doubts = find_doubts([measure(_view(turn, mask)) for turn, mask in zip(turns, masks, strict=True)])
    assert [doubt.index for doubt in doubts] == [5, 6]


def test_the_reason_names_both_shares():
    even = [Features(0.1, (0.5, 0.5), GREY)] * 6
    doubts = find_doubts([*even[:3], Features(0.2, (0.5, 0.5), GREY), *even[3:]])
    assert doubts[0].reasons == ("its subject covers 20.0% of the photo, its neighbours' 10.0%",)


def test_a_subject_that_comes_nearer_step_by_step_never_stands_out():
    assert find_doubts([Features(0.05 * 1.12**i, (0.5, 0.5), GREY) for i in range(20)]) == []


def test_fewer_views_than_a_neighbourhood_are_not_judged():
    views = [Features(area, (0.5, 0.5), GREY) for area in (0.1, 0.1, 0.9, 0.1)]
    assert len(views) < LEAST_VIEWS
    assert find_doubts(views) == []
