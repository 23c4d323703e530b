"""Photos are told once they are whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.cli.photo_sets.watching import Settling, settle, watch_photos


def test_a_file_counts_when_it_has_not_changed_for_a_while(tmp_path):
    photo = tmp_path / "a.jpg"
    photo.write_bytes(b"half")
    settling = Settling(settle_s=1.0)
    settling.saw([photo])
    assert settling.whole(10.0) == []
    photo.write_bytes(b"half and the rest")
    assert settling.whole(10.9) == []  # it grew
    assert settling.whole(11.8) == []
    assert settling.whole(11.9) == [photo]
    assert settling.whole(15.0) == []  # once


def test_a_change_is_told_once_more(tmp_path):
    photo = tmp_path / "a.jpg"
    photo.write_bytes(b"first")
    settling = Settling(settle_s=0.0)
    settling.saw([photo])
    assert [settling.whole(t) for t in (0.0, 1.0, 2.0)] == [[], [photo], []]
    photo.write_bytes(b"second one")
    settling.saw([photo])
    assert [settling.whole(t) for t in (3.0, 4.0)] == [[], [photo]]


def test_an_empty_file_waits_and_one_that_is_gone_is_forgotten(tmp_path):
    empty, gone = tmp_path / "a.jpg", tmp_path / "b.jpg"
    empty.touch()
    settling = Settling(settle_s=0.0)
    settling.saw([empty, gone])
    assert [settling.whole(t) for t in (0.0, 1.0, 2.0)] == [[], [], []]
    empty.write_bytes(b"now")
    assert [settling.whole(t) for t in (3.0, 4.0)] == [[], [empty]]


def test_what_is_no_photo_is_not_told(tmp_path):
    names = ["a.jpg", "notes.txt", ".b.jpg.part", "._a.jpg"]
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    told = settle([{tmp_path / name for name in names}, set(), set()], Settling(0.0), iter(range(9)).__next__)
    assert list(told) == [[tmp_path / "a.jpg"]]


@pytest.mark.slow
def test_a_photo_that_appears_in_a_folder_below_is_seen(tmp_path):
    first, second = tmp_path / "a.jpg", tmp_path / "day1" / "b.jpg"
    first.write_bytes(b"a")
    second.parent.mkdir()
    whole = watch_photos([tmp_path], [first], Settling(0.0))
    try:
        assert next(whole) == [first]
        second.write_bytes(b"b")  # the watcher runs since the first
        assert [Path(path).name for path in next(whole)] == ["b.jpg"]
    finally:
        whole.close()
