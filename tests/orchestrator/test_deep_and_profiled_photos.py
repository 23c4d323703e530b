"""Photos of 16 bits, or with a colour profile, give the mesher the same frame as plain ones: full size, 8-bit sRGB."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from services.common.photos.decoding import WORKING_SIDE_PX
from services.orchestrator.output.encoding import encode_png
from tests.orchestrator.stand_ins import Bench
from unflat.v1 import mesher_pb2

SIDE = 1600  # the working image has 1024
_Y, _X = np.mgrid[0:SIDE, 0:SIDE]
BALL = np.hypot(_X - SIDE / 2, _Y - SIDE / 2) < 0.18 * SIDE  # small in the photo: the frame shows its pixels, not fewer


def _fine_pixels() -> np.ndarray:
    """A ball of fine noise on calm grey."""
    rgb = np.full((SIDE, SIDE, 3), 120, np.uint8)
    noise = np.random.default_rng(0).integers(60, 200, (SIDE // 2, SIDE // 2), dtype=np.uint8)
    rgb[BALL] = noise.repeat(2, 0).repeat(2, 1)[BALL][:, None]
    return rgb


def _tagged(rgb: np.ndarray) -> bytes:
    out = io.BytesIO()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(rgb).save(out, "PNG", icc_profile=profile, compress_level=1)
    return out.getvalue()


def _frame(photo: bytes) -> np.ndarray:
    bench = Bench()
    bench.segmentation.alpha = cv2.resize(BALL.astype(np.float32), (WORKING_SIDE_PX,) * 2, interpolation=cv2.INTER_AREA)
    bench.mesh(photo, depth=False, options=mesher_pb2.MeshOptions(texture="TEXTURE_MODE_BAKED"))
    return bench.mesher.jobs[0].frame


def _sharpness(frame: np.ndarray) -> float:
    """Mean step between neighbours inside the subject, of the full range."""
    grey = frame[..., :3].astype(np.float32).mean(axis=2)
    return float(np.abs(np.diff(grey, axis=1))[_core(frame)[:, 1:]].mean() / 255)


def _core(frame: np.ndarray) -> np.ndarray:
    """The subject away from its edge, where no foreground is estimated."""
    return cv2.erode((frame[..., 3] == 255).astype(np.uint8), np.ones((15, 15), np.uint8)) > 0


@pytest.fixture(scope="module")
def plain() -> np.ndarray:
    return _frame(encode_png(_fine_pixels()))


@pytest.mark.parametrize("kind", ["16 bits", "sRGB profile"])
def test_the_frame_is_as_sharp_as_that_of_a_plain_photo_and_has_its_colours(plain, kind):
    rgb = _fine_pixels()
    frame = _frame(encode_png(rgb.astype(np.uint16) * 257) if kind == "16 bits" else _tagged(rgb))
    assert _sharpness(plain) > 0.05
    assert _sharpness(frame) == pytest.approx(_sharpness(plain), rel=0.01)
    assert np.abs(frame.astype(int) - plain)[_core(plain)].max() <= 1
