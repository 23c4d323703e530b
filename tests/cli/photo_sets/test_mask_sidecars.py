"""Masks beside photos: names, polarity, and the pixel grid of the photo's own file."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from services.cli.photo_files import PhotoItem
from services.cli.photo_sets.mask_sidecars import MaskSidecar, Polarity, harden, sidecar_path, sidecar_png
from services.common.photos.raster import as_stored

ITEM = PhotoItem(Path("/set/abc/012.jpg"), Path("/out/abc"), "012", Path("/out"))


@pytest.mark.parametrize(
    ("program", "name"),
    [
        ("colmap", "/out/masks/abc/012.jpg.png"),
        ("meshroom", "/out/masks/abc/012.png"),
        ("metashape", "/out/masks/abc/012_mask.png"),
        ("realityscan", "/out/masks/abc/012.jpg.mask.png"),
    ],
)
def test_each_program_finds_its_masks(program, name):
    assert sidecar_path(ITEM, MaskSidecar(program)) == Path(name)


def _mask(**options):
    values = np.zeros((6, 9), np.uint8)
    values[2:4, 3:8] = 255
    out = io.BytesIO()
    Image.fromarray(values).save(out, "PNG")
    wanted = {"program": MaskSidecar.colmap, "polarity": Polarity.auto, "orientation": 1, **options}
    return values, np.asarray(Image.open(io.BytesIO(sidecar_png(out.getvalue(), **wanted))))


@pytest.mark.parametrize("program", ["colmap", "meshroom", "metashape"])
def test_white_is_kept_by_most(program):
    before, after = _mask(program=MaskSidecar(program))
    assert np.array_equal(after, before)


def test_white_is_masked_out_for_realityscan():
    before, after = _mask(program=MaskSidecar.realityscan)
    assert np.array_equal(after, 255 - before)


def test_either_polarity_can_be_had_of_each():
    before, after = _mask(program=MaskSidecar.realityscan, polarity=Polarity.white_kept)
    assert np.array_equal(after, before)
    before, after = _mask(program=MaskSidecar.colmap, polarity=Polarity.white_masked)
    assert np.array_equal(after, 255 - before)


def test_a_mask_for_a_program_is_hard_and_without_haze_or_islands():
    alpha = np.zeros((200, 300), np.uint8)
    alpha[:] = 20  # haze
    alpha[50:150, 50:150] = 255
    alpha[50:150, 150] = 130  # its soft edge
    alpha[50:150, 151] = 120
    alpha[60:70, 153:157] = 255  # a strap beside it
    alpha[10:20, 280:290] = 255  # an island far away
    hard = harden(alpha)
    assert set(np.unique(hard)) == {0, 255}
    assert hard[100, 150] == 255
    assert hard[100, 151] == 0
    assert hard[65, 155] == 255
    assert not hard[:45].any()
    assert not hard[:, 200:].any()


def test_a_second_part_that_is_no_island_stays_and_an_empty_mask_stays_empty():
    shoes = np.zeros((100, 300), np.uint8)
    shoes[20:80, 20:80] = 255
    shoes[30:80, 220:270] = 255
    assert np.array_equal(harden(shoes), shoes)
    assert not harden(np.full((20, 30), 100, np.uint8)).any()


def test_a_matte_is_the_soft_alpha():
    out = io.BytesIO()
    soft = np.tile(np.arange(0, 250, 5, dtype=np.uint8), (8, 1))
    Image.fromarray(soft).save(out, "PNG")
    png = sidecar_png(out.getvalue(), MaskSidecar.matte, Polarity.auto, 1)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png))), soft)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_mask_lies_on_the_pixels_of_the_file_whatever_its_orientation(orientation):
    stored = np.arange(6 * 9, dtype=np.uint8).reshape(6, 9)
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    Image.fromarray(stored).save(out, "PNG", exif=exif)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(out)))
    assert np.array_equal(as_stored(upright, orientation), stored)


def test_a_photo_without_an_orientation_has_its_mask_as_it_is():
    upright = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert np.array_equal(as_stored(upright, 0), upright)
