"""The mask that the rest of a set proposes, held against what is known to be there."""

from __future__ import annotations

import numpy as np
import pytest

from services.cli.photo_sets.set_colours import propose_mask
from services.cli.photo_sets.thumbnails import Thumbnail


def _iou(a, b):
    return np.count_nonzero(a & b) / np.count_nonzero(a | b)


def _views(turns, left_out):
    return [Thumbnail(t.photo, t.mug.astype(np.uint8) * 255) for i, t in enumerate(turns) if i != left_out]


@pytest.mark.parametrize("which", [0, 3, 7])
def test_neighbours_know_the_mug_of_a_view_they_have_not_seen(turns, which):
    proposed = propose_mask(turns[which].photo, _views(turns, which)) > 127
    assert _iou(proposed, turns[which].mug) > 0.97


def test_the_proposal_has_the_size_of_the_photo(turns):
    large = np.repeat(np.repeat(turns[3].photo, 3, axis=0), 3, axis=1)
    proposed = propose_mask(large, _views(turns, 3))
    assert proposed.shape == (720, 960)
    assert _iou(proposed[1::3, 1::3] > 127, turns[3].mug) > 0.95


def test_the_same_question_has_the_same_answer(turns):
    first, second = (propose_mask(turns[5].photo, _views(turns, 5)) for _ in range(2))
    assert np.array_equal(first, second)


def test_neighbours_without_a_subject_propose_none(turns):
    empty = [Thumbnail(turn.photo, np.zeros(turn.mug.shape, np.uint8)) for turn in turns[:4]]
    assert not propose_mask(turns[5].photo, empty).any()
