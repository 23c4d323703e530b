"""Options and messages have the same fields, and say the same."""

from __future__ import annotations

import pytest

from services.common.errors import InvalidOption
from services.common.options import CutoutOptions, MaskOptions, MeshOptions
from services.common.options.declare import choices, is_file
from services.common.options.mask import DepthOptions, SegmentationOptions
from services.common.options.proto import enum_word, from_proto, to_proto
from unflat.v1 import depth_pb2, mesher_pb2, segmentation_pb2
from unflat.v1 import orchestrator_pb2 as pb

GROUPS = [
    (MaskOptions, pb.MaskOptions),
    (CutoutOptions, pb.CutoutOptions),
    (MeshOptions, mesher_pb2.MeshOptions),
    (SegmentationOptions, segmentation_pb2.SegmentationOptions),
    (DepthOptions, depth_pb2.DepthOptions),
]
ALL_SET = [
    MaskOptions(
        preset="fast", strategy="union", depth_percentile=40, depth=False, depth_wait_s=1.5, use_grabcut=True,
        remove_small_components=False, kernel_size=7, blur_size=5, depth_quality="high", model="u2netp",
    ),
    CutoutOptions(
        mask_only=True, format="tiff", background=(1, 0, 3), matting=False, foreground_threshold=200,
        background_threshold=0, erode_size=0, estimate_foreground=False, metadata="no-gps", with_mask=True,
    ),
    MeshOptions(
        format="stl", texture="baked", resolution=64, threshold=25.5, texture_resolution=512, use_depth=False,
        size_mm=80.5, faces=5000, smooth=4, placement="standing",
    ),
]  # fmt: skip


def fields_of(descriptor):
    for field in descriptor.fields:
        yield from fields_of(field.message_type) if field.message_type else [field]


@pytest.mark.parametrize(("kind", "message"), GROUPS)
def test_every_option_is_a_field_and_every_field_an_option(kind, message):
    options = {name for name, field in kind.model_fields.items() if not is_file(field)}
    assert {field.name for field in fields_of(message.DESCRIPTOR)} == options


@pytest.mark.parametrize(("kind", "message"), GROUPS)
def test_every_choice_is_a_value_of_the_enumeration_and_the_other_way_round(kind, message):
    for field in fields_of(message.DESCRIPTOR):
        if field.enum_type:
            words = {enum_word(field.enum_type, value.number) for value in field.enum_type.values[1:]}
            assert words == {word.replace("-", "_") for word in choices(kind.model_fields[field.name])}


@pytest.mark.parametrize("options", [kind() for kind, _ in GROUPS] + ALL_SET, ids=lambda options: repr(options)[:40])
def test_options_come_back_from_their_message(options):
    message = next(message for kind, message in GROUPS if kind is type(options))
    assert from_proto(type(options), message.FromString(to_proto(options, message).SerializeToString())) == options


def test_an_empty_message_has_all_defaults():
    for kind, message in GROUPS:
        assert from_proto(kind, message()) == kind()


def test_a_stages_part_is_taken_from_the_whole_group():
    asked = MaskOptions(preset="quality", kernel_size=3, strategy="union")
    part = to_proto(asked, segmentation_pb2.SegmentationOptions)
    assert part == segmentation_pb2.SegmentationOptions(preset="PRESET_QUALITY", kernel_size=3)
    assert from_proto(SegmentationOptions, part) == SegmentationOptions(preset="quality", kernel_size=3)


@pytest.mark.parametrize(
    ("kind", "message", "field"),
    [
        (MaskOptions, pb.MaskOptions(strategy=99), "strategy"),
        (MaskOptions, pb.MaskOptions(segmentation=segmentation_pb2.SegmentationOptions(preset=99)), "preset"),
        (MeshOptions, mesher_pb2.MeshOptions(texture=99), "texture"),
    ],
)
def test_a_number_that_this_version_has_not_named_is_refused(kind, message, field):
    with pytest.raises(InvalidOption, match=rf"^{field} is 99; wanted one of ") as refused:
        from_proto(kind, message)
    assert refused.value.field == field
