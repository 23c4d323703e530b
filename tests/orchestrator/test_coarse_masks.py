"""A supplied mask that is coarser than the photo follows the photo's own edges."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from services.common.photos.decoding import decode_photo
from services.orchestrator.cutout.cut import PRESETS
from services.orchestrator.input_checks.supplied_mask import SuppliedMask
from services.orchestrator.masked_photo import MaskedPhoto, cut
from unflat.v1 import orchestrator_pb2 as pb

HEIGHT, WIDTH = 320, 1600


@pytest.fixture(scope="module")
def scene():
    """A red disc on grey, larger than the working image, and what of it is disc."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    disc = np.hypot(x - 803.5, y - 161.5) < 121.3
    picture = np.where(disc[..., None], (200, 40, 30), (120, 125, 130)).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    return decode_photo(out.getvalue()), disc


def _cut(scene, supplied):
    photo, _ = scene
    small = cv2.resize(supplied, photo.working.shape[1::-1], interpolation=cv2.INTER_AREA)
    masked = MaskedPhoto(photo, small, small, None, None, None, SuppliedMask(supplied, pb.MASK_SOURCE_SUPPLIED))
    return cut(masked, PRESETS["balanced"]).alpha


def test_a_mask_made_on_the_working_image_gets_the_edges_of_the_photo(scene):
    photo, disc = scene
    coarse = cv2.resize(disc.astype(np.float32), photo.working.shape[1::-1], interpolation=cv2.INTER_AREA)
    coarse = (coarse > 0.5).astype(np.float32)
    enlarged = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    assert np.abs(_cut(scene, coarse) - disc).mean() < 0.5 * np.abs(enlarged - disc).mean()


def test_a_mask_as_fine_as_the_photo_is_taken_as_it_is(scene):
    square = np.zeros((HEIGHT, WIDTH), np.float32)
    square[100:200, 700:900] = 1
    assert np.array_equal(_cut(scene, square), square)
