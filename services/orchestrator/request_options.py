"""What a request asks for: messages to checked options, in one place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

from services.common.errors import InvalidOption
from services.common.photos.metadata import MetadataMode
from services.orchestrator.cutout.cut import PRESETS, CutoutOptions, Preset
from services.orchestrator.cutout.matting_network import MattingNetwork
from services.orchestrator.fusion import FusionOptions, Percentile, Strategy
from services.orchestrator.output.encoding import EncodeOptions, ImageFormat
from unflat.v1 import depth_pb2, segmentation_pb2
from unflat.v1 import orchestrator_pb2 as pb

_STRATEGIES: dict[int, Strategy] = {
    pb.STRATEGY_UNSPECIFIED: "auto",
    pb.STRATEGY_AUTO: "auto",
    pb.STRATEGY_DEPTH_GUIDED: "depth_guided",
    pb.STRATEGY_INTERSECTION: "intersection",
    pb.STRATEGY_UNION: "union",
    pb.STRATEGY_SEGMENTATION: "segmentation",
}
_PRESETS: dict[int, Preset] = {
    segmentation_pb2.PRESET_UNSPECIFIED: "balanced",
    segmentation_pb2.PRESET_FAST: "fast",
    segmentation_pb2.PRESET_BALANCED: "balanced",
    segmentation_pb2.PRESET_QUALITY: "quality",
}
_QUALITIES: dict[int, depth_pb2.DepthQuality] = {
    depth_pb2.DEPTH_QUALITY_UNSPECIFIED: depth_pb2.DEPTH_QUALITY_STANDARD,
    depth_pb2.DEPTH_QUALITY_STANDARD: depth_pb2.DEPTH_QUALITY_STANDARD,
    depth_pb2.DEPTH_QUALITY_HIGH: depth_pb2.DEPTH_QUALITY_HIGH,
}
_FORMATS: dict[int, ImageFormat] = {
    pb.IMAGE_FORMAT_UNSPECIFIED: "png",
    pb.IMAGE_FORMAT_PNG: "png",
    pb.IMAGE_FORMAT_WEBP: "webp",
    pb.IMAGE_FORMAT_TIFF: "tiff",
    pb.IMAGE_FORMAT_JPEG: "jpeg",
}
_METADATA: dict[int, MetadataMode] = {
    pb.METADATA_MODE_UNSPECIFIED: "all",
    pb.METADATA_MODE_ALL: "all",
    pb.METADATA_MODE_NO_GPS: "no-gps",
    pb.METADATA_MODE_NONE: "none",
}
_MOST_PATIENCE_S = 600.0

T = TypeVar("T")


@dataclass(frozen=True)
class RequestOptions:
    """What the caller asks of the mask."""

    refine: segmentation_pb2.RefineOptions
    fusion: FusionOptions
    depth: bool
    depth_patience_s: float | None
    cutout: CutoutOptions
    depth_quality: depth_pb2.DepthQuality = depth_pb2.DEPTH_QUALITY_STANDARD
    model: str = ""


def parse_request_options(
    mask: pb.MaskOptions, cutout: pb.CutoutOptions, network: MattingNetwork | None = None
) -> RequestOptions:
    """Return what is asked of mask and cutout.

    Args:
        mask: how the mask is made.
        cutout: how the cutout is made.
        network: what decides soft edges here, in place of the closed form.

    Raises:
        InvalidOption: a value out of its range.
    """
    percentile: Percentile = mask.depth_percentile if mask.HasField("depth_percentile") else "auto"
    patience = mask.depth_patience_s if mask.HasField("depth_patience_s") else None
    if patience is not None and not 0 <= patience <= _MOST_PATIENCE_S:
        raise InvalidOption(
            f"depth_patience_s is {patience:g}; wanted 0 to {_MOST_PATIENCE_S:g}", field="depth_patience_s"
        )
    return RequestOptions(
        refine=mask.refine,
        fusion=FusionOptions(strategy=_look_up(_STRATEGIES, mask.strategy, "strategy"), depth_percentile=percentile),
        depth=mask.depth != pb.DEPTH_MODE_OFF,
        depth_patience_s=patience,
        cutout=replace(_cutout_options(_look_up(_PRESETS, mask.refine.preset, "preset"), cutout), network=network),
        depth_quality=parse_depth_quality(mask.depth_quality),
        model=mask.model,
    )


def parse_depth_quality(value: depth_pb2.DepthQuality) -> depth_pb2.DepthQuality:
    """Return how much work is to go into depth, standard where nothing is said.

    Raises:
        InvalidOption: a value that no version has named.
    """
    return _look_up(_QUALITIES, value, "depth_quality")


def parse_encoding(cutout: pb.CutoutOptions) -> EncodeOptions:
    """Return how the cutout is to be written.

    Raises:
        InvalidOption: a background that is not three colours of 0 to 255.
    """
    background = tuple(cutout.background)
    if background and (len(background) != 3 or max(background) > 255):
        raise InvalidOption(f"background is {list(background)}; wanted three values of 0 to 255", field="background")
    colour = (background[0], background[1], background[2]) if background else None
    return EncodeOptions(
        format=_look_up(_FORMATS, cutout.format, "format"),
        background=colour,
        metadata=_look_up(_METADATA, cutout.metadata, "metadata"),
        with_mask=cutout.with_mask,
    )


def _look_up(words: dict[int, T], value: int, field: str) -> T:
    """Return the word of an enum's value; proto3 lets numbers through that no version of ours has named."""
    if value not in words:
        raise InvalidOption(f"{field} is {value}; wanted one of {', '.join(map(str, words))}", field=field)
    return words[value]


def _cutout_options(preset: Preset, message: pb.CutoutOptions) -> CutoutOptions:
    options = PRESETS[preset]
    if message.HasField("matting"):
        options = replace(options, alpha_matting=message.matting)
    if message.HasField("estimate_foreground") or message.mask_only:  # a mask alone has no colour
        options = replace(options, estimate_foreground=message.estimate_foreground and not message.mask_only)
    names = ("foreground_threshold", "background_threshold", "erode_size")
    classic = {name: getattr(message, name) for name in names if message.HasField(name)}
    if classic:
        options = replace(options, alpha_matting=True, adaptive_trimap=False, **classic)
    return options
