"""A folder of photos as a set: what is made, what is not made again, what is said at the end."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from services.common.client import CutoutResult
from services.common.errors import Overloaded
from services.common.options import MaskOptions

pytestmark = pytest.mark.slow


def _iou(a, b):
    return np.count_nonzero(a & b) / np.count_nonzero(a | b)


@pytest.fixture
def cut(unflat, tmp_path):
    """Run `unflat cutout` on the photos of the turntable."""
    return lambda *options: unflat("cutout", tmp_path / "photos", "--out", tmp_path / "out", *options)


def _break(turntable, number, mask):
    photo = list(turntable.masks)[number]
    turntable.masks[photo] = mask
    return photo


# ── each once ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_everything_in_a_folder_is_made(turntable, cut, tmp_path):
    ended = cut("--jobs", 4)
    assert ended.code == 0, ended.err
    assert "12 photos: 12 made, 0 there already, 0 of 12 failed" in ended.err
    assert len(list((tmp_path / "out").glob("*.png"))) == 12
    assert (tmp_path / "out" / "contact-sheet.html").read_text().count("<li") == 12


def test_what_is_done_is_not_asked_again(turntable, cut, tmp_path):
    cut()
    turntable.asked.clear()
    ended = cut()
    assert ended.code == 0
    assert turntable.asked == []
    assert "0 made, 12 there already" in ended.err
    assert (tmp_path / "out" / "contact-sheet.html").read_text().count("<img") == 24


def test_a_changed_photo_a_lost_result_and_other_options_are_made_anew(turntable, turns, cut, tmp_path):
    cut()
    turntable.asked.clear()
    changed = (tmp_path / "photos" / "03.png").read_bytes() + b"more"
    (tmp_path / "photos" / "03.png").write_bytes(changed)
    turntable.masks[changed] = turns[3].mug
    (tmp_path / "out" / "05.png").unlink()
    cut()
    assert sorted(turntable.photos) == sorted([changed, (tmp_path / "photos" / "05.png").read_bytes()])
    turntable.asked.clear()
    cut("--metadata", "no-gps")
    assert len(turntable.asked) == 12


def test_a_run_that_was_stopped_goes_on_where_it_was(turntable, cut):
    answer, left = turntable.stream_cutout, iter(range(4))

    def stop_after_four(*given, **rest):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return answer(*given, **rest)

    turntable.stream_cutout = stop_after_four
    ended = cut("--jobs", 1)
    assert ended.code == 130
    assert turntable.closed
    assert "4 photos: 4 made" in ended.err
    turntable.stream_cutout = answer
    assert "8 made, 4 there already" in cut().err


# ── never in the way of each other ──────────────────────────────────────────────────────────────────────────────────


def test_results_inside_the_folder_are_no_photos_of_the_next_run(turntable, unflat, tmp_path):
    for _ in range(2):
        ended = unflat("cutout", tmp_path / "photos", "--out", tmp_path / "photos" / "out")
        assert ended.code == 0, ended.err
        assert "12 photos" in ended.err
    assert len(turntable.asked) == 12


def test_results_between_the_photos_are_no_photos_of_the_next_run(turntable, unflat, tmp_path):
    before = {path: path.read_bytes() for path in (tmp_path / "photos").iterdir()}
    for _ in range(2):
        ended = unflat("cutout", tmp_path / "photos", "--out", tmp_path / "photos", "--mask-sidecar", "metashape")
        assert ended.code == 0, ended.err
        assert "12 photos" in ended.err
    assert len(turntable.asked) == 12
    assert {path: path.read_bytes() for path in before} == before


def test_a_mask_beside_never_takes_the_name_of_a_result(turntable, turns, unflat, tmp_path):
    folder = tmp_path / "photos" / "masks"
    folder.mkdir()
    data = (tmp_path / "photos" / "00.png").read_bytes() + b"another"
    (folder / "00.png").write_bytes(data)  # its cutout is masks/00.png; so is the mask of 00.png for Meshroom
    turntable.masks[data] = turns[0].mug
    ended = unflat("cutout", tmp_path / "photos", "--out", tmp_path / "out", "--mask-sidecar", "meshroom")
    assert ended.code == 101
    assert "its results would have the names of" in ended.err
    assert len(turntable.asked) == 12


def test_hidden_files_are_no_photos(turntable, cut, tmp_path):
    (tmp_path / "photos" / "._00.png").write_bytes(b"what macOS sets beside a photo")
    assert cut().code == 0


# ── some fail ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_exit_code_says_how_many_failed_and_the_others_are_made(turntable, cut, tmp_path):
    for name in ("x.png", "y.jpg"):
        (tmp_path / "photos" / name).write_bytes(b"no picture")
    ended = cut()
    assert ended.code == 102
    assert "12 made" in ended.err
    assert "2 of 14 failed" in ended.err
    assert 'class="failed"' in (tmp_path / "out" / "contact-sheet.html").read_text()


def test_an_orchestrator_that_sends_no_mask_is_named(turntable, cut):
    answer = turntable.stream_cutout

    def without_mask(*given, **rest):
        for event in answer(*given, **rest):
            yield replace(event, mask=b"") if isinstance(event, CutoutResult) else event

    turntable.stream_cutout = without_mask
    ended = cut()
    assert ended.code == 112
    assert "sent no mask along" in ended.err


def test_a_service_that_is_full_is_asked_again(turntable, cut):
    answer, refusals = turntable.stream_cutout, iter([Overloaded("full", retry_after_s=0.0)] * 3)

    def refuse_three(*given, **rest):
        problem = next(refusals, None)
        if problem is not None:
            raise problem
        return answer(*given, **rest)

    turntable.stream_cutout = refuse_three
    ended = cut("--jobs", 1)
    assert ended.code == 0, ended.err


def test_json_is_one_line_a_photo(turntable, cut):
    lines = [json.loads(line) for line in cut("--json").out.splitlines()]
    assert sorted(line["photo"][-6:] for line in lines) == [f"{number:02}.png" for number in range(12)]
    assert all(line["receipt"]["request_id"] == "id-1" for line in lines)


# ── views that stand out ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("lost", ["half", "all"])
def test_a_view_with_a_broken_mask_is_made_again_with_the_colours_of_the_set(turntable, turns, cut, tmp_path, lost):
    broken = turns[4].mug & (np.arange(240)[:, None] < (120 if lost == "half" else 0))
    photo = _break(turntable, 4, broken)
    ended = cut("--mask-sidecar", "colmap")
    assert ended.code == 0, ended.err
    assert turntable.photos.count(photo) == 2
    assert "1 with the set's colours" in ended.err
    assert "04.png" in ended.err
    found = np.asarray(Image.open(tmp_path / "out" / "masks" / "04.png.png")) > 127
    assert _iou(broken, turns[4].mug) < 0.4
    assert _iou(found, turns[4].mug) > 0.97


def test_a_second_mask_that_stands_out_as_well_is_dropped_and_the_view_flagged(turntable, turns, cut, tmp_path):
    photo = _break(turntable, 4, turns[4].mug & (np.arange(240)[:, None] < 120))
    answer = turntable.stream_cutout

    def ignore_the_hint(sent, *, mask, **rest):
        return answer(sent, mask=MaskOptions(), **rest)

    turntable.stream_cutout = ignore_the_hint
    ended = cut("--mask-sidecar", "colmap")
    assert ended.code == 0
    assert "its subject covers" in ended.err
    assert "1 to look at" in ended.err
    assert 'class="doubtful"' in (tmp_path / "out" / "contact-sheet.html").read_text()
    assert not (np.asarray(Image.open(tmp_path / "out" / "masks" / "04.png.png"))[130:] > 127).any()
    assert turntable.photos.count(photo) == 2
    again = cut("--mask-sidecar", "colmap")
    assert turntable.photos.count(photo) == 2  # tried once, said again
    assert "1 to look at" in again.err


def test_without_consistency_every_view_is_asked_for_once(turntable, turns, cut):
    _break(turntable, 4, turns[4].mug & (np.arange(240)[:, None] < 120))
    assert cut("--no-consistency").code == 0
    assert len(turntable.asked) == 12


def test_views_of_different_folders_are_not_compared(turntable, turns, unflat, tmp_path):
    for number, path in enumerate(sorted((tmp_path / "photos").iterdir())):
        (tmp_path / "photos" / str(number // 4)).mkdir(exist_ok=True)
        path.rename(tmp_path / "photos" / str(number // 4) / path.name)
    _break(turntable, 4, turns[4].mug & (np.arange(240)[:, None] < 120))
    unflat("cutout", tmp_path / "photos", "--out", tmp_path / "out")
    assert len(turntable.asked) == 12  # four views are no neighbourhood


# ── a turntable that is still taking photos ─────────────────────────────────────────────────────────────────────────


def test_photos_are_made_as_they_come_and_ctrl_c_ends_with_the_summary(turntable, turns, cut, tmp_path, monkeypatch):
    photos = sorted((tmp_path / "photos").iterdir())
    late = {path: path.read_bytes() for path in photos[6:]}
    for path in late:
        path.unlink()

    def come(folders, first, settling):
        yield sorted(first)
        for path, data in late.items():
            path.write_bytes(data)
            yield [path]
        raise KeyboardInterrupt

    monkeypatch.setattr("services.cli.photo_sets.photo_set.watch_photos", come)
    _break(turntable, 4, turns[4].mug & (np.arange(240)[:, None] < 120))
    ended = cut("--watch")
    assert ended.code == 0, ended.err
    assert len(list((tmp_path / "out").glob("*.png"))) == 12
    assert "12 photos: 12 made" in ended.err
    assert "1 with the set's colours" in ended.err


def test_an_empty_folder_may_be_watched(turntable, unflat, tmp_path, monkeypatch):
    def nothing(folders, first, settling):
        assert (folders, first) == ([tmp_path / "empty"], [])
        yield from ()
        raise KeyboardInterrupt

    (tmp_path / "empty").mkdir()
    monkeypatch.setattr("services.cli.photo_sets.photo_set.watch_photos", nothing)
    ended = unflat("cutout", tmp_path / "empty", "--out", tmp_path / "out", "--watch")
    assert ended.code == 0, ended.err
    assert "0 photos" in ended.err


def test_a_single_photo_cannot_be_watched(turntable, unflat, tmp_path):
    ended = unflat("cutout", tmp_path / "photos" / "00.png", "--watch")
    assert ended.code == 2
    assert "--watch wants a folder" in ended.err


def test_a_mask_beside_a_single_photo_is_written_too(turntable, turns, unflat, tmp_path):
    photo = tmp_path / "photos" / "00.png"
    assert unflat("cutout", photo, "--out", tmp_path / "out", "--mask-sidecar", "realityscan").code == 0
    mask = np.asarray(Image.open(io.BytesIO((tmp_path / "out" / "masks" / "00.png.mask.png").read_bytes())))
    assert np.array_equal(mask < 128, turns[0].mug)
