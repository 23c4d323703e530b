"""Every layout of a data set is read, and what is missing is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evaluation.sets import FIXED, Item, open_set


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def scene(folder: Path) -> Path:
    touch(*(folder / name for name in ("photo.jpg", "alpha.png", "mesh.ply", "inverse_depth.npz", "alpha_network.png")))
    meta = {"tags": ["thin"], "camera": {}, "mesh_to_camera": {}}
    (folder / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    return folder


def test_scene_folder_is_read_with_all_it_holds(tmp_path: Path) -> None:
    folder = scene(tmp_path / "s01_bunny")
    (item,) = open_set(tmp_path)
    assert item.name == "s01_bunny" and item.tags == ("thin",) and item.meta is not None
    found = (item.photo, item.truth, item.mask, item.depth, item.mesh)
    names = ("photo.jpg", "alpha.png", "alpha_network.png", "inverse_depth.npz", "mesh.ply")
    assert found == tuple(folder / name for name in names)


def test_photos_with_masks_beside_them_are_read(tmp_path: Path) -> None:
    touch(tmp_path / "cat.jpg", tmp_path / "cat.mask.png", tmp_path / "cat.isnet.png", tmp_path / "lonely.jpg")
    (tmp_path / "index.json").write_text(json.dumps({"cat": {"tags": ["fur"]}}), encoding="utf-8")
    expected = Item("cat", tmp_path / "cat.jpg", tmp_path / "cat.mask.png", tmp_path / "cat.isnet.png", tags=("fur",))
    assert open_set(tmp_path) == [expected]


def test_folders_of_photos_and_masks_are_paired_by_name(tmp_path: Path) -> None:
    touch(tmp_path / "photos" / "a.jpg", tmp_path / "masks" / "a.png", tmp_path / "meshes" / "a.glb")
    touch(tmp_path / "photos" / "b.jpg")
    (item,) = open_set(tmp_path)
    assert (item.name, item.truth, item.mesh) == ("a", tmp_path / "masks" / "a.png", tmp_path / "meshes" / "a.glb")


def test_scanned_object_has_a_mesh_and_no_mask(tmp_path: Path) -> None:
    touch(tmp_path / "Mug" / "meshes" / "model.obj", tmp_path / "Mug" / "thumbnails" / "0.jpg")
    (item,) = open_set(tmp_path)
    assert item.name == "Mug" and item.mesh is not None and item.truth is None and item.meta is None


def test_named_pattern_is_taken_instead_of_the_usual_names(tmp_path: Path) -> None:
    touch(tmp_path / "cat.jpg", tmp_path / "cat.mask.png", tmp_path / "cat.isnet.png", tmp_path / "cat.u2net.png")
    (item,) = open_set(tmp_path, masks="{stem}.u2net.png")
    assert item.mask == tmp_path / "cat.u2net.png"


def test_backend_name_supplies_no_mask(tmp_path: Path) -> None:
    scene(tmp_path / "s01")
    assert open_set(tmp_path, masks="grabcut")[0].mask is None
    assert open_set(tmp_path, masks="rembg:isnet-general-use")[0].mask is None


def test_depth_off_supplies_none(tmp_path: Path) -> None:
    scene(tmp_path / "s01")
    assert open_set(tmp_path, depth="off")[0].depth is None


def test_pattern_that_names_nothing_is_refused(tmp_path: Path) -> None:
    scene(tmp_path / "s01")
    with pytest.raises(ValueError, match=r"--masks 'other\.png' names no file"):
        open_set(tmp_path, masks="other.png")


def test_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no data set"):
        open_set(tmp_path)


def test_limit_spreads_over_the_set(tmp_path: Path) -> None:
    for k in range(6):
        scene(tmp_path / f"s{k}")
    assert [item.name for item in open_set(tmp_path, limit=3)] == ["s0", "s2", "s4"]


def test_the_fixed_set_has_mask_depth_mesh_and_camera_for_every_item() -> None:
    items = open_set(FIXED)
    assert len(items) >= 6
    assert all(item.truth and item.depth and item.mesh and item.meta and item.tags for item in items)
