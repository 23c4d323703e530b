"""Messages to checked options."""

from __future__ import annotations

import pytest

from services.common.errors import InvalidOption
from services.orchestrator.cutout.cut import PRESETS
from services.orchestrator.cutout.matting_network import open_matting_network
from services.orchestrator.request_options import parse_encoding, parse_request_options
from services.orchestrator.stages.stage_protocols import STANDARD
from unflat.v1 import depth_pb2, segmentation_pb2
from unflat.v1 import orchestrator_pb2 as pb


def _options(cutout: pb.CutoutOptions | None = None, **mask: object):
    return parse_request_options(pb.MaskOptions(**mask), cutout or pb.CutoutOptions())


def test_an_empty_request_takes_the_balanced_preset_auto_fusion_and_depth():
    options = _options()
    assert options.cutout == PRESETS["balanced"]
    assert (options.fusion.strategy, options.fusion.depth_percentile) == ("auto", "auto")
    assert options.depth
    assert options.depth_wait_s is None
    assert options.estimate == STANDARD


@pytest.mark.parametrize(("preset", "matting"), [("PRESET_FAST", False), ("PRESET_QUALITY", True)])
def test_matting_follows_the_preset_unless_it_is_set(preset, matting):
    refine = segmentation_pb2.SegmentationOptions(preset=preset)
    assert _options(segmentation=refine).cutout.matting is matting
    assert _options(pb.CutoutOptions(matting=not matting), segmentation=refine).cutout.matting is not matting


def test_one_classic_threshold_brings_the_classic_trimap_with_the_other_defaults():
    options = _options(pb.CutoutOptions(erode_size=0)).cutout
    assert not options.adaptive_trimap
    assert (options.foreground_threshold, options.background_threshold, options.erode_size) == (240, 10, 0)


@pytest.mark.parametrize("number", [pb.STRATEGY_AUTO, pb.STRATEGY_UNION, pb.STRATEGY_SEGMENTATION])
def test_strategies_keep_their_name(number):
    name = pb.Strategy.Name(number).removeprefix("STRATEGY_").lower()
    assert _options(strategy=number).fusion.strategy == name


@pytest.mark.parametrize(
    ("mask", "field"),
    [
        ({"depth_percentile": 90.0}, "depth_percentile"),
        ({"depth_percentile": float("nan")}, "depth_percentile"),
        ({"depth_wait_s": -1.0}, "depth_wait_s"),
        ({"estimate": depth_pb2.DepthOptions(depth_quality=9)}, "depth_quality"),
        ({"depth_wait_s": float("nan")}, "depth_wait_s"),
        ({"strategy": 99}, "strategy"),
        ({"segmentation": segmentation_pb2.SegmentationOptions(preset=99)}, "preset"),
    ],
    ids=str,
)
def test_a_mask_option_out_of_range_is_named(mask, field):
    with pytest.raises(InvalidOption) as caught:
        _options(**mask)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        (pb.CutoutOptions(), True),
        (pb.CutoutOptions(estimate_foreground=False), False),
        (pb.CutoutOptions(estimate_foreground=True), True),
        (pb.CutoutOptions(mask_only=True, estimate_foreground=True), False),
    ],
)
def test_colour_is_estimated_unless_unwanted_or_nobody_sees_it(message, wanted):
    assert _options(message).cutout.estimate_foreground is wanted


def test_matting_thresholds_out_of_order_are_refused():
    with pytest.raises(InvalidOption, match="wanted the first no smaller"):
        _options(pb.CutoutOptions(foreground_threshold=10, background_threshold=200))


@pytest.mark.parametrize("background", [[1, 2], [1, 2, 3, 4], [0, 0, 256]])
def test_a_background_that_is_no_colour_is_refused(background):
    with pytest.raises(InvalidOption) as caught:
        parse_encoding(pb.CutoutOptions(background=background))
    assert caught.value.field == "background"


def test_black_is_a_background_and_none_is_none():
    assert parse_encoding(pb.CutoutOptions(background=[0, 0, 0])).background == (0, 0, 0)
    assert parse_encoding(pb.CutoutOptions()).background is None


def test_a_format_that_this_version_does_not_know_is_refused():
    with pytest.raises(InvalidOption) as caught:
        parse_encoding(pb.CutoutOptions(format=99))
    assert caught.value.field == "format"


def test_the_matting_network_of_the_service_decides_for_every_request():
    network = open_matting_network("onnx:/net.onnx")
    assert parse_request_options(pb.MaskOptions(), pb.CutoutOptions(), network).cutout.network is network
    assert parse_request_options(pb.MaskOptions(), pb.CutoutOptions()).cutout.network is None


def test_a_model_that_is_named_is_asked_of_segmentation():
    assert (
        parse_request_options(pb.MaskOptions(segmentation={"model": "u2netp"}), pb.CutoutOptions()).segmentation.model
        == "u2netp"
    )
