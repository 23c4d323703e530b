"""Options behind a backend's name."""

from __future__ import annotations

import pytest

from services.common.backends.backend_spec import BackendSpec
from services.common.errors import InvalidOption


def _spec(**options: str) -> BackendSpec:
    return BackendSpec("net", options)


def test_a_name_is_read_as_written():
    spec = BackendSpec.parse("onnx:/a/net.onnx?side=320&mean=0,0,0")
    assert (spec.head, spec.kind, spec.target) == ("onnx:/a/net.onnx", "onnx", "/a/net.onnx")
    assert spec.options == {"side": "320", "mean": "0,0,0"}
    assert BackendSpec.parse("net").options == {}


@pytest.mark.parametrize("query", ["side", "side=1&side=2", "&"])
def test_what_is_not_of_the_form_is_refused_with_the_field(query):
    with pytest.raises(InvalidOption) as caught:
        BackendSpec.parse(f"net?{query}", field="matting")
    assert caught.value.field == "matting"


def test_an_unknown_option_names_the_nearest():
    with pytest.raises(InvalidOption, match=r"'sied'.*'side'"):
        _spec(sied="1").refuse_unknown("side", "mean")
    with pytest.raises(InvalidOption, match=r"net has no option 'side'$"):
        _spec(side="1").refuse_unknown()


def test_three_numbers_are_one_a_channel():
    assert _spec(mean="0.5,1,-2").triple("mean", (0, 0, 0)) == (0.5, 1.0, -2.0)
    assert _spec().triple("mean", (1, 2, 3)) == (1, 2, 3)


@pytest.mark.parametrize("text", ["1,2", "1,2,x", "1,2,nan", "1,2,inf", ""])
def test_anything_but_three_finite_numbers_is_refused(text):
    with pytest.raises(InvalidOption, match="mean is"):
        _spec(mean=text).triple("mean", (0, 0, 0))


@pytest.mark.parametrize("text", ["15", "4097", "33", "x", "²", "-32", "", "32.0"])
def test_a_number_out_of_its_range_says_what_was_wanted(text):
    with pytest.raises(InvalidOption, match="wanted a multiple of 2, 16 to 4096"):
        _spec(side=text).number("side", 1024, 16, 4096, multiple=2)


def test_a_number_and_a_choice_have_defaults():
    assert (_spec().number("side", 0, 16, 4096), _spec(side="32").number("side", 0, 16, 4096)) == (0, 32)
    assert _spec().choice("near", ("large", "small"), "large") == "large"
    assert _spec(near="small").choice("near", ("large", "small"), "large") == "small"


def test_a_choice_that_is_none_of_them_is_named_with_them():
    with pytest.raises(InvalidOption, match="near is 'far'; wanted large, small"):
        _spec(near="far").choice("near", ("large", "small"), "large")
