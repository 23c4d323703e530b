"""Options behind a backend's name."""

from __future__ import annotations

import pytest

from services.common.backends.backend_spec import read_options, read_triple, refuse_unknown
from services.common.errors import InvalidOption


def test_options_are_read_as_written():
    assert read_options("net?side=320&mean=0,0,0", "side=320&mean=0,0,0") == {"side": "320", "mean": "0,0,0"}
    assert read_options("net", "") == {}


@pytest.mark.parametrize("query", ["side", "side=1&side=2", "&"])
def test_what_is_not_of_the_form_is_refused_with_the_field(query):
    with pytest.raises(InvalidOption) as caught:
        read_options(f"net?{query}", query)
    assert caught.value.field == "backend"


def test_an_unknown_option_names_the_nearest():
    with pytest.raises(InvalidOption, match=r"'sied'.*'side'"):
        refuse_unknown({"sied": "1"}, ("side", "mean"))


def test_three_numbers_are_one_a_channel():
    assert read_triple({"mean": "0.5,1,-2"}, "mean", (0, 0, 0)) == (0.5, 1.0, -2.0)
    assert read_triple({}, "mean", (1, 2, 3)) == (1, 2, 3)


@pytest.mark.parametrize("text", ["1,2", "1,2,x", "1,2,nan", "1,2,inf", ""])
def test_anything_but_three_finite_numbers_is_refused(text):
    with pytest.raises(InvalidOption, match="mean is"):
        read_triple({"mean": text}, "mean", (0, 0, 0))
