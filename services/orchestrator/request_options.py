"""What a request asks for: its options as the pipeline's algorithms take them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.common.options import CutoutOptions, DepthOptions, MaskOptions, fill
from services.common.options.proto import from_proto, to_proto
from services.orchestrator.cutout import cut
from services.orchestrator.cutout.matting_network import MattingNetwork
from services.orchestrator.fusion import FusionOptions
from services.orchestrator.output.encoding import EncodeOptions
from unflat.v1 import depth_pb2, segmentation_pb2
from unflat.v1 import orchestrator_pb2 as pb


@dataclass(frozen=True)
class RequestOptions:
    """What the caller asks of the mask."""

    segmentation: segmentation_pb2.SegmentationOptions
    fusion: FusionOptions
    depth: bool
    depth_wait_s: float | None
    estimate: depth_pb2.DepthOptions
    cutout: cut.CutoutOptions


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
    asked = from_proto(MaskOptions, mask)
    preset = replace(cut.PRESETS[asked.preset], network=network)
    return RequestOptions(
        segmentation=to_proto(asked, segmentation_pb2.SegmentationOptions),
        fusion=fill(FusionOptions(depth_percentile="auto"), asked),
        depth=asked.depth,
        depth_wait_s=asked.depth_wait_s,
        cutout=_cutout_options(preset, from_proto(CutoutOptions, cutout)),
        estimate=to_proto(asked, depth_pb2.DepthOptions),
    )


def parse_depth_options(message: depth_pb2.DepthOptions) -> depth_pb2.DepthOptions:
    """Return how depth is to be estimated, with everything said that was left open.

    Raises:
        InvalidOption: a value that no version has named.
    """
    return to_proto(from_proto(DepthOptions, message), depth_pb2.DepthOptions)


def parse_encoding(cutout: pb.CutoutOptions) -> EncodeOptions:
    """Return how the cutout is to be written.

    Raises:
        InvalidOption: a value out of its range.
    """
    return fill(EncodeOptions(), from_proto(CutoutOptions, cutout))


def _cutout_options(preset: cut.CutoutOptions, asked: CutoutOptions) -> cut.CutoutOptions:
    options = fill(preset, asked)
    if asked.mask_only:  # a mask alone has no colour
        options = replace(options, estimate_foreground=False)
    if asked.is_classic:
        options = replace(options, matting=True, adaptive_trimap=False)
    return options
