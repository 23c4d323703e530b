"""The resolution that a file states is kept in every format that can state one."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from services.common.photos.decoding import decode_photo
from services.orchestrator.output.encoding import EncodeOptions, encode_cutout


def _stated(form: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), (90, 60, 30)).save(out, form, dpi=(300, 150))
    return out.getvalue()


@pytest.mark.parametrize("written", ["png", "tiff", "jpeg"])
@pytest.mark.parametrize("read", ["JPEG", "PNG", "TIFF"])
def test_dots_per_inch_are_kept(read, written):
    photo = decode_photo(_stated(read))
    data = encode_cutout(photo.pixels, np.ones((30, 40), np.float32), photo.metadata, EncodeOptions(written))
    across, down = Image.open(io.BytesIO(data)).info["dpi"]
    assert (across, down) == (pytest.approx(300, abs=0.05), pytest.approx(150, abs=0.05))


def test_a_file_that_states_none_gets_none():
    out = io.BytesIO()
    Image.new("RGB", (40, 30)).save(out, "PNG")
    photo = decode_photo(out.getvalue())
    data = encode_cutout(photo.pixels, np.ones((30, 40), np.float32), photo.metadata, EncodeOptions("png"))
    assert photo.metadata.dpi is None
    assert "dpi" not in Image.open(io.BytesIO(data)).info


def test_a_tiff_without_exif_gets_no_empty_exif_directory():
    out = io.BytesIO()
    Image.new("RGB", (40, 30)).save(out, "TIFF")
    photo = decode_photo(out.getvalue())
    data = encode_cutout(photo.pixels, np.ones((30, 40), np.float32), photo.metadata, EncodeOptions("tiff"))
    assert 0x8769 not in Image.open(io.BytesIO(data)).tag_v2
