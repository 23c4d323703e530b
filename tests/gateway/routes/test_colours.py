"""Background colours as people write them."""

from __future__ import annotations

import pytest

from services.common.errors import InvalidOption
from services.gateway.routes.colours import parse_background, parse_rembg_colour


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("255,0,10", (255, 0, 10)),
        (" 1, 2, 3 ", (1, 2, 3)),
        ("#ff8000", (255, 128, 0)),
        ("00FF00", (0, 255, 0)),
        ("white", (255, 255, 255)),
        ("transparent", None),
        ("", None),
    ],
)
def test_colour_is_read(text, wanted):
    assert parse_background(text, "background") == wanted


@pytest.mark.parametrize("text", ["red", "1,2", "1,2,3,4", "1,2,300", "-1,2,3", "#ff80", "1;2;3", "١,٢,٣"])
def test_what_is_no_colour_is_refused_by_field(text):
    with pytest.raises(InvalidOption) as refused:
        parse_background(text, "bgc")
    assert refused.value.field == "bgc"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("1,2,3", (1, 2, 3, 255)), ("1,2,3,4", (1, 2, 3, 4)), ("5", (5, 5, 5, 255)), ("999,-5,0", (255, 0, 0, 255))],
)
def test_rembgs_colour_is_read(text, wanted):
    assert parse_rembg_colour(text) == wanted
