"""rembg's background colours."""

from __future__ import annotations

import pytest

from services.gateway.rembg.rembg_colours import parse_rembg_colour


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("1,2,3", (1, 2, 3, 255)), ("1,2,3,4", (1, 2, 3, 4)), ("5", (5, 5, 5, 255)), ("999,-5,0", (255, 0, 0, 255))],
)
def test_rembgs_colour_is_read(text, wanted):
    assert parse_rembg_colour(text) == wanted
