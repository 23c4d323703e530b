"""Decoding in processes: what kills a worker never reaches the service."""

from __future__ import annotations

import asyncio
import io
import os
import time
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from services.common.errors import ImageTooLarge, InvalidImage
from services.common.photos.decode_pool import DecodePool
from services.common.photos.decoding import decode_photo

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pool() -> Iterator[DecodePool]:
    one = DecodePool(workers=1, memory_bytes=2 << 30, time_s=30.0)
    yield one
    one.close()


def _run(pool: DecodePool, function, *arguments):
    return asyncio.run(pool.run(function, *arguments))


def test_a_picture_comes_back_whole(pool):
    pixels = np.random.default_rng(1).integers(0, 255, (20, 30, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    assert np.array_equal(_run(pool, decode_photo, out.getvalue()).pixels, pixels)


def test_our_own_errors_come_back_as_they_were(pool):
    with pytest.raises(InvalidImage, match="not a picture") as caught:
        _run(pool, decode_photo, b"junk")
    assert caught.value.field == "file"


def test_a_decoder_that_crashes_is_a_broken_picture_and_the_next_one_works(pool):
    with pytest.raises(InvalidImage, match="its decoder crashed"):
        _run(pool, os._exit, 1)
    assert _run(pool, os.getpid) != os.getpid()


def test_more_memory_than_allowed_is_too_large(pool):
    with pytest.raises(ImageTooLarge, match="more memory"):
        _run(pool, bytes, 8 << 30)


def test_a_picture_that_takes_too_long_is_given_up():
    pool = DecodePool(workers=1, time_s=0.5)
    try:
        with pytest.raises(InvalidImage, match="took longer"):
            _run(pool, time.sleep, 60)
    finally:
        pool.close()
