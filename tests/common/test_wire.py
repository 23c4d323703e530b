"""Pixels and depth across messages."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from services.common.errors import InvalidImage
from services.common.wire import (
    alpha_from_proto,
    alpha_to_proto,
    depth_from_proto,
    depth_to_proto,
    image_from_proto,
    image_to_proto,
)

_shapes = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)


@given(hnp.arrays(np.uint8, _shapes.map(lambda s: (*s, 3))))
def test_pixels_come_back_as_they_were(pixels):
    assert np.array_equal(image_from_proto(image_to_proto(pixels), 3), pixels)


@given(hnp.arrays(np.float32, _shapes, elements=st.floats(0, 1, width=32)))
def test_alpha_is_kept_to_half_a_step(alpha):
    assert np.abs(alpha_from_proto(alpha_to_proto(alpha)) - alpha).max() <= 0.5 / 255 + 1e-6


@given(hnp.arrays(np.float32, _shapes, elements=st.floats(0, 1000, width=32)), st.sampled_from([1e-6, 1.0, 1e6]))
@example(np.array([[0.0, 1.1e-44]], dtype=np.float32), 1.0)  # its scale would be no float32 any more
def test_depth_keeps_a_thousandth_of_its_range_whatever_its_unit(depth, unit):
    values = depth * np.float32(unit)
    back = depth_from_proto(depth_to_proto(values))
    assert np.abs(back - values).max() <= 1e-3 * max(float(values.max()), 1e-30)


def test_unseen_depth_stays_unseen():
    depth = np.array([[1.0, np.nan]], dtype=np.float32)
    back = depth_from_proto(depth_to_proto(depth))
    assert np.isnan(back[0, 1])
    assert back[0, 0] == pytest.approx(1.0)


def test_bytes_that_do_not_fit_the_stated_size_are_refused():
    message = image_to_proto(np.zeros((4, 5, 3), np.uint8))
    message.width = 6
    with pytest.raises(InvalidImage, match="6 × 4 × 3 but carries 60 bytes"):
        image_from_proto(message, 3)


def test_a_mask_where_a_photo_was_wanted_is_refused():
    with pytest.raises(InvalidImage, match="1 channels"):
        image_from_proto(image_to_proto(np.zeros((4, 5), np.uint8)), 3)
