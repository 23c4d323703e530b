"""Accept headers."""

from __future__ import annotations

import pytest

from services.gateway.routes.forms import accepted_format


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", "png"),
        ("*/*", "png"),
        ("image/*", "png"),
        ("image/webp", "webp"),
        ("IMAGE/JPEG", "jpeg"),
        ("image/webp;q=0.5, image/tiff;q=0.8", "tiff"),
        ("image/avif,image/webp,*/*;q=0.8", "webp"),
        ("application/json", "png"),
        ("image/webp;q=0", "png"),
        ("image/webp;q=many", "png"),
        (";;,,=", "png"),
    ],
)
def test_accept_is_weighed(accept, wanted):
    assert accepted_format(accept) == wanted
