"""Options are checked when they are made, and say what was seen and what was wanted."""

from __future__ import annotations

import pytest

from services.common.errors import InvalidOption
from services.common.options import CutoutOptions, MaskOptions, MeshOptions, parse_options

REFUSED = [
    (MaskOptions, {"preset": "best"}, "preset is 'best'; wanted one of fast, balanced, quality"),
    (MaskOptions, {"preset": 99}, "preset is 99; wanted one of fast, balanced, quality"),
    (MaskOptions, {"kernel_size": 4}, "kernel_size is 4; wanted an odd number of 3 to 7"),
    (MaskOptions, {"kernel_size": 9}, "kernel_size is 9; wanted an odd number of 3 to 7"),
    (MaskOptions, {"blur_size": 1}, "blur_size is 1; wanted an odd number of 3 to 7"),
    (MaskOptions, {"depth": "maybe"}, "depth is 'maybe'; wanted on or off"),
    (MaskOptions, {"depth_percentile": "0"}, "depth_percentile is 0; wanted a number of 20 to 50, or auto"),
    (MaskOptions, {"depth_percentile": "much"}, "depth_percentile is 'much'; wanted a number of 20 to 50, or auto"),
    (MaskOptions, {"depth_percentile": float("nan")}, "depth_percentile is nan; wanted a number of 20 to 50, or auto"),
    (MaskOptions, {"depth_wait_s": -0.5}, "depth_wait_s is -0.5; wanted a number of 0 to 600"),
    (MaskOptions, {"model": "x" * 201}, f"model is {'x' * 40!r}; wanted a text of at most 200 characters"),
    (MaskOptions, {"kernelsize": 3}, "kernelsize is not an option here; did you mean kernel_size?"),
    (MaskOptions, {"zoom": 3}, "zoom is not an option here; docs/options.md lists what there is"),
    (CutoutOptions, {"erode_size": "3000"}, "erode_size is 3000; wanted a whole number of 0 to 255"),
    (CutoutOptions, {"erode_size": 2.5}, "erode_size is 2.5; wanted a whole number of 0 to 255"),
    (CutoutOptions, {"foreground_threshold": 300}, "foreground_threshold is 300; wanted a whole number of 0 to 255"),
    (CutoutOptions, {"background_threshold": -1}, "background_threshold is -1; wanted a whole number of 0 to 255"),
    (
        CutoutOptions,
        {"foreground_threshold": 5},
        "foreground_threshold is 5 and background_threshold 10; wanted the first no smaller",
    ),
    (MeshOptions, {"threshold": float("inf")}, "threshold is inf; wanted a number of -1,000,000 to 1,000,000"),
    (MeshOptions, {"faces": 1, "smooth": 101}, "faces is 1; wanted a whole number of 100 to 2,000,000. Also, smooth is "
     "101; wanted a whole number of 0 to 100"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "given", "said"), REFUSED, ids=lambda value: str(value)[:60])
def test_a_value_that_cannot_be_is_refused_with_what_was_wanted(kind, given, said):
    with pytest.raises(InvalidOption) as refused:
        kind(**given)
    assert refused.value.message == said
    assert refused.value.field == next(iter(given))


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
def test_a_background_is_read_as_people_write_it(text, wanted):
    assert CutoutOptions(background=text).background == wanted


@pytest.mark.parametrize(
    "colour", ["red", "1,2", "1,2,3,4", "1,2,300", "-1,2,3", "#ff80", "1;2;3", "١,٢,٣", "1,2,²", (1, 2), (0, 0, 256)]
)
def test_what_is_no_colour_is_refused_under_the_name_it_came_by(colour):
    with pytest.raises(InvalidOption, match=r"^bgc is .+; wanted r,g,b \(0 to 255 each\), #rrggbb, ") as refused:
        CutoutOptions(bgc=colour)
    assert refused.value.field == "bgc"


@pytest.mark.parametrize(
    ("kind", "given", "wanted"),
    [
        (MaskOptions, {"strategy": "Depth-Guided"}, {"strategy": "depth_guided"}),
        (MaskOptions, {"depth": "no", "use_grabcut": "1"}, {"depth": False, "use_grabcut": True}),
        (MaskOptions, {"depth_percentile": "auto"}, {"depth_percentile": None}),
        (MaskOptions, {"kernel_size": " 5 "}, {"kernel_size": 5}),
        (CutoutOptions, {"format": "JPG"}, {"format": "jpeg"}),
        (CutoutOptions, {"metadata": "no_gps"}, {"metadata": "no-gps"}),
    ],
    ids=str,
)
def test_texts_are_read_as_people_write_them(kind, given, wanted):
    assert kind(**given) == kind(**wanted)


def test_two_groups_are_read_from_one_set_of_names():
    mask, mesh = parse_options({"preset": "fast", "faces": 500}, "WebSocket", MaskOptions, MeshOptions)
    assert (mask, mesh) == (MaskOptions(preset="fast"), MeshOptions(faces=500))
    with pytest.raises(InvalidOption, match=r"face is not an option here; did you mean faces\?"):
        parse_options({"face": 500}, "WebSocket", MaskOptions, MeshOptions)
