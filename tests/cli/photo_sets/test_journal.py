"""What is done is known again, and only that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from services.cli.photo_sets.journal import NAME, Entry, Journal, digest, sizes
from services.cli.photo_sets.thumbnails import Thumbnail
from services.common.errors import InvalidOption

THUMBNAIL = Thumbnail(np.full((12, 16, 3), 90, np.uint8), np.eye(12, 16, dtype=np.uint8) * 255)
PLACE = Path("day1/mug.jpg")


def _entry(out, **changes):
    (out / "day1").mkdir(parents=True, exist_ok=True)
    (out / "day1" / "mug.png").write_bytes(b"cutout")
    files = sizes(out, [out / "day1" / "mug.png"])
    return replace(Entry("day1/mug.jpg", digest(b"photo"), "a", files, THUMBNAIL), **changes)


def test_a_photo_is_done_when_bytes_options_and_files_are_the_same(tmp_path):
    Journal(tmp_path).add(_entry(tmp_path, warnings=("dark",), confidence=0.5))
    entry = Journal(tmp_path).done(PLACE, b"photo", "a")
    assert entry is not None
    assert (entry.files, entry.warnings, entry.confidence) == ({"day1/mug.png": 6}, ("dark",), 0.5)
    assert np.array_equal(entry.thumbnail.mask, THUMBNAIL.mask)
    assert np.abs(entry.thumbnail.photo.astype(int) - 90).max() <= 2


@pytest.mark.parametrize(
    ("place", "photo", "options"),
    [(PLACE, b"another photo", "a"), (PLACE, b"photo", "b"), (Path("mug.jpg"), b"photo", "a")],
    ids=["other bytes", "other options", "another folder"],
)
def test_what_differs_is_made_anew(tmp_path, place, photo, options):
    Journal(tmp_path).add(_entry(tmp_path))
    assert Journal(tmp_path).done(place, photo, options) is None


@pytest.mark.parametrize("left", [b"half", None], ids=["cut short", "deleted"])
def test_a_result_that_is_no_longer_whole_is_made_anew(tmp_path, left):
    Journal(tmp_path).add(_entry(tmp_path))
    result = tmp_path / "day1" / "mug.png"
    result.unlink() if left is None else result.write_bytes(left)
    assert Journal(tmp_path).done(PLACE, b"photo", "a") is None


def test_the_last_line_holds_and_a_torn_one_costs_its_photo_only(tmp_path):
    journal = Journal(tmp_path)
    journal.add(_entry(tmp_path, retry=""))
    journal.add(_entry(tmp_path, retry="kept"))
    with (tmp_path / NAME).open("a") as file:
        file.write('{"place": "day1/mug.jpg", "photo_sh')
    entry = Journal(tmp_path).done(PLACE, b"photo", "a")
    assert entry is not None
    assert entry.retry == "kept"


def test_results_of_all_runs_are_known_as_ours(tmp_path):
    journal = Journal(tmp_path)
    journal.add(_entry(tmp_path))
    journal.add(_entry(tmp_path, files={"day1/mug.webp": 9}, options="b"))
    assert Journal(tmp_path).files() == {tmp_path / "day1" / "mug.png", tmp_path / "day1" / "mug.webp"}


def test_a_journal_that_cannot_be_written_is_one_sentence(tmp_path):
    entry = _entry(tmp_path)
    (tmp_path / "out").write_text("a file")
    with pytest.raises(InvalidOption, match="cannot be written"):
        Journal(tmp_path / "out").add(entry)
