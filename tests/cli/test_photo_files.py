"""Photos are found, and results named, whatever the names are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from services.cli.photo_files import MOST_NAME_BYTES, find_items, left_out, write_all


def _make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"picture")


def test_every_ending_that_cameras_and_browsers_write_is_a_photo(tmp_path):
    names = ["a.jpg", "b.JFIF", "c.jpe", "d.mpo", "e.HEIC", "f.hif", "g.avif", "h.tif"]
    _make(tmp_path / "in", *names, "notes.txt", "movie.mp4", "raw.dng")
    assert [item.photo.name for item in find_items([tmp_path / "in"], tmp_path / "out")] == names


def test_hidden_thumbnail_and_waste_folders_are_left_out_and_told(tmp_path):
    aside = [".thumbnails/x.jpg", ".Trash-1000/files/x.jpg", "@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg", "#recycle/b.png"]
    _make(tmp_path / "in", "a.jpg", "sub/b.jpg", *aside)
    found = find_items([tmp_path / "in"], tmp_path / "out")
    assert [item.photo.name for item in found] == ["a.jpg", "b.jpg"]
    assert len(left_out([tmp_path / "in"])) == len(aside)


def test_a_hidden_folder_that_is_named_is_meant(tmp_path):
    _make(tmp_path / ".in", "a.jpg")
    assert len(find_items([tmp_path / ".in"], tmp_path / "out")) == 1
    assert left_out([tmp_path / ".in"]) == []


@pytest.mark.parametrize("stem", ["a" * 251, "写" * 83, "a" * 220, "a"])
def test_results_of_long_names_fit_the_file_system(tmp_path, stem):
    _make(tmp_path / "in", f"{stem}.jpg")
    [item] = find_items([tmp_path / "in"], tmp_path / "out")
    files = {
        item.output(suffix, "cutout"): b"data" for suffix in (".png", ".json", "-preview.png", "-segmentation.png")
    }
    assert all(len(os.fsencode(path.name)) <= MOST_NAME_BYTES for path in files)
    assert all(path.read_bytes() == b"data" for path in write_all(files))
    assert item.stem == stem or item.stem.startswith(stem[:60])


def test_long_names_that_differ_at_their_end_get_results_of_their_own(tmp_path):
    _make(tmp_path / "in", f"{'a' * 240}1.jpg", f"{'a' * 240}2.jpg")
    one, two = find_items([tmp_path / "in"], tmp_path / "out")
    assert one.stem != two.stem


def test_a_name_that_is_no_utf8_is_a_photo_too(tmp_path):
    _make(tmp_path / "in", "a.jpg")
    (tmp_path / "in" / os.fsdecode(b"b\xe9.jpg")).write_bytes(b"picture")
    items = find_items([tmp_path / "in"], tmp_path / "out")
    assert len(items) == 2
    assert len(write_all({item.output(".png"): b"data" for item in items})) == 2
