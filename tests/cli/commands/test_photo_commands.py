"""Photos in, files out: what is written where, and what the exit code says."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from services.common.errors import StageUnavailable


def test_a_mesh_and_its_receipt_are_written_under_the_photos_name(unflat, client, make_photo, tmp_path):
    ended = unflat("mesh", make_photo("mug.jpg"), "--out", tmp_path / "out")
    assert ended.code == 0, ended.err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"mug.glb", "mug.json"}
    assert (tmp_path / "out" / "mug.glb").read_bytes() == b"glTF mesh"
    receipt = json.loads((tmp_path / "out" / "mug.json").read_text())
    assert receipt["stages"][0]["outcome"] == "UNAVAILABLE"


def test_options_reach_the_request(unflat, client, make_photo, tmp_path):
    mask = make_photo("white.png")
    ended = unflat(
        "mesh", make_photo("mug.jpg"), "-o", tmp_path / "out", "--preset", "quality", "--strategy", "union",
        "--depth-percentile", 40, "--depth", "off", "--mask", mask, "--format", "ply", "--resolution", 64,
        "--depth-quality", "high", "--model", "u2netp",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    asked = client.asked[0]
    assert (asked["mask"].preset, asked["mask"].strategy, asked["mask"].depth_percentile) == ("quality", "union", 40)
    assert not asked["mask"].depth
    assert asked["mask"].depth_quality == "high"
    assert asked["mask"].model == "u2netp"
    assert asked["mask"].mask == mask.read_bytes()
    assert (asked["mesh"].format, asked["mesh"].resolution) == ("ply", 64)
    assert (tmp_path / "out" / "mug.ply").exists()


def test_missing_and_broken_files_are_named_and_the_others_finished(unflat, client, make_photo, tmp_path):
    (tmp_path / "notes.png").write_text("not a picture")
    inputs = [make_photo("a.png"), tmp_path / "gone.png", tmp_path / "notes.png", make_photo("b.png")]
    ended = unflat("cutout", *inputs, "--out", tmp_path / "out")
    assert ended.code == 1
    assert {path.name for path in (tmp_path / "out").glob("*.png")} == {"a.png", "b.png"}
    assert "gone.png: cannot be read: No such file or directory" in ended.err
    assert "notes.png: the file is not a picture" in ended.err
    assert "2 of 4 failed" in ended.err
    assert "Traceback" not in ended.err


def test_json_is_one_line_a_photo_on_stdout_and_nothing_else(unflat, client, make_photo, tmp_path):
    inputs = [make_photo("a.png"), tmp_path / "gone.png"]
    ended = unflat("cutout", *inputs, "--out", tmp_path / "out", "--json")
    good, bad = (json.loads(line) for line in ended.out.splitlines())
    assert good["files"] == [str(tmp_path / "out" / name) for name in ("a.png", "a.json")]
    assert good["receipt"]["degraded"] is True
    assert (bad["photo"], bad["error"]) == (str(tmp_path / "gone.png"), "INVALID_IMAGE")


def test_degradations_are_told_with_brackets_and_all(unflat, client, make_photo, tmp_path):
    ended = unflat("cutout", make_photo("mug[copy].png"), "--out", tmp_path / "out")
    assert ended.code == 0
    assert "made without depth: no [depth] here" in ended.err
    assert "mug[copy].png" in ended.err
    assert (tmp_path / "out" / "mug[copy].png").exists()


@pytest.mark.parametrize("name", ["[red].png", "[/red].png"])
def test_a_name_that_looks_like_markup_fails_like_any_other(unflat, client, tmp_path, name):
    ended = unflat("cutout", tmp_path / name, "--out", tmp_path / "out")
    assert ended.code == 1
    assert f"{name}: cannot be read" in ended.err


# ── never over an input ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_cutout_in_the_photos_own_folder_gets_another_name(unflat, client, make_photo, tmp_path):
    photo = make_photo("mug.png")
    before = photo.read_bytes()
    assert unflat("cutout", photo, "--out", tmp_path).code == 0
    assert photo.read_bytes() == before
    assert (tmp_path / "mug-cutout.png").exists()


def test_a_mask_gets_its_own_word(unflat, client, make_photo, tmp_path):
    assert unflat("cutout", make_photo("mug.png"), "--out", tmp_path, "--mask-only").code == 0
    assert (tmp_path / "mug-mask.png").exists()


def test_photos_that_differ_in_their_suffix_only_get_results_named_apart(unflat, client, make_photo, tmp_path):
    folder = tmp_path / "photos"
    photos = [make_photo("photos/mug.jpg"), make_photo("photos/mug.png")]
    before = [photo.read_bytes() for photo in photos]
    ended = unflat("cutout", folder, "--out", folder)
    assert ended.code == 0, ended.err
    assert [photo.read_bytes() for photo in photos] == before
    assert {path.name for path in folder.glob("*.png")} == {"mug.png", "mug-jpg.png", "mug-png.png"}


def test_a_result_never_replaces_the_mask_that_was_given(unflat, client, make_photo, tmp_path):
    mask = make_photo("mug.png")
    before = mask.read_bytes()
    assert unflat("cutout", make_photo("mug.jpg"), "--mask", mask, "--out", tmp_path).code == 0
    assert mask.read_bytes() == before


def test_a_debug_picture_never_replaces_a_photo(unflat, client, make_photo, tmp_path):
    other = make_photo("mug-raw.png")
    before = other.read_bytes()
    unflat("cutout", make_photo("mug.png"), other, "--out", tmp_path / "out", "--debug", tmp_path)
    assert other.read_bytes() == before
    assert (tmp_path / "mug-raw-debug.png").read_bytes() == b"raw picture"


def test_a_folder_keeps_its_structure_below_out(unflat, client, make_photo, tmp_path):
    make_photo("photos/day1/mug.png")
    make_photo("photos/day2/mug.png")
    (tmp_path / "photos" / "notes.txt").write_text("no picture")
    assert unflat("cutout", tmp_path / "photos", "--out", tmp_path / "out").code == 0
    found = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.png")}
    assert found == {"day1/mug.png", "day2/mug.png"}


def test_stems_that_collide_are_refused_by_the_later_one(unflat, client, make_photo, tmp_path):
    ended = unflat("mesh", make_photo("a/mug.png"), make_photo("b/mug.png"), "--out", tmp_path / "out")
    assert ended.code == 1
    assert "b/mug.png: its results would have the names of" in ended.err
    assert len(client.asked) == 1


def test_a_folder_that_cannot_be_written_is_one_sentence(unflat, client, make_photo, tmp_path):
    (tmp_path / "out").write_text("a file")
    ended = unflat("cutout", make_photo("mug.png"), "--out", tmp_path / "out")
    assert ended.code == 1
    assert "cannot be written" in ended.err
    assert "Traceback" not in ended.err


# ── wrong usage ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--depth-percentile", "much"], "wanted a number of 20 to 50, or auto"),
        (["--mask", "/nowhere/mask.png"], "--mask /nowhere/mask.png cannot be read"),
        (["--depth", "/nowhere/depth.npz"], "--depth /nowhere/depth.npz cannot be read"),
        (["--background", "red"], "wanted r,g,b (0 to 255 each)"),
        (["--background", "1,2,²"], "wanted r,g,b (0 to 255 each)"),
        (["--background", "1,2,256"], "wanted r,g,b (0 to 255 each)"),
        (["--preset", "best"], "best"),
        (["--no-such-option"], "No such option"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_exit_2_with_a_sentence(unflat, client, make_photo, arguments, said):
    ended = unflat("cutout", make_photo("mug.png"), *arguments)
    assert ended.code == 2
    assert said in ended.err
    assert not client.asked


def test_an_empty_folder_is_wrong_usage(unflat, client, tmp_path):
    (tmp_path / "empty").mkdir()
    ended = unflat("mesh", tmp_path / "empty")
    assert ended.code == 2
    assert "no pictures in" in ended.err


def test_a_service_that_cannot_be_had_is_exit_1(unflat, client, make_photo, tmp_path):
    client.problem = StageUnavailable("segmentation does not answer")
    ended = unflat("mesh", make_photo("mug.png"), "--out", tmp_path / "out")
    assert ended.code == 1
    assert "segmentation does not answer" in ended.err


# ── depth alone ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_depth_comes_as_colours_as_sixteen_bits_or_as_values(unflat, client, make_photo, tmp_path):
    photo = make_photo("mug.png")
    assert unflat("depth", photo, "--out", tmp_path / "c.png").code == 0
    assert Image.open(tmp_path / "c.png").mode == "RGB"
    assert unflat("depth", photo, "--out", tmp_path / "r.png", "--raw").code == 0
    deep = np.asarray(Image.open(tmp_path / "r.png"))
    assert (deep.min(), deep.max()) == (0, 65_535)
    assert unflat("depth", photo, "--out", tmp_path / "d.npz").code == 0
    assert np.load(io.BytesIO((tmp_path / "d.npz").read_bytes()))["depth"].shape == (20, 30)


def test_the_quality_of_depth_reaches_the_request(unflat, client, make_photo, tmp_path):
    photo = make_photo("mug.png")
    assert unflat("depth", photo, "--out", tmp_path / "a.npz").code == 0
    assert unflat("depth", photo, "--out", tmp_path / "b.npz", "--depth-quality", "high").code == 0
    assert [asked["depth"].depth_quality for asked in client.asked] == ["standard", "high"]


def test_depth_is_never_written_over_its_photo(unflat, client, make_photo, tmp_path):
    photo = make_photo("mug.png")
    before = photo.read_bytes()
    assert unflat("depth", photo, "--out", photo).code == 0
    assert photo.read_bytes() == before
    assert (tmp_path / "mug-depth.png").exists()


def test_depth_into_another_format_is_wrong_usage(unflat, client, make_photo):
    ended = unflat("depth", make_photo("mug.png"), "--out", "depth.exr")
    assert ended.code == 2
    assert ".png or .npz" in ended.err
