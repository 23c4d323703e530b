"""Options to messages."""

from __future__ import annotations

from typing import Any

from services.common.errors import InvalidOption
from services.common.options.models import CutoutOptions, MaskOptions, MeshOptions
from unflat.v1 import depth_pb2, mesher_pb2, segmentation_pb2
from unflat.v1 import orchestrator_pb2 as pb


def mask_to_proto(wishes: MaskOptions) -> pb.MaskOptions:
    """Return the message of `wishes`."""
    refine = segmentation_pb2.RefineOptions(
        preset=enum_value(segmentation_pb2.Preset, "PRESET", wishes.preset, "preset"),
        use_grabcut=wishes.use_grabcut,
        remove_small_components=wishes.remove_small_components,
        kernel_size=wishes.kernel_size,
        blur_size=wishes.blur_size,
    )
    return pb.MaskOptions(
        refine=refine,
        strategy=enum_value(pb.Strategy, "STRATEGY", wishes.strategy, "strategy"),
        depth_percentile=wishes.depth_percentile,
        depth=pb.DEPTH_MODE_ON if wishes.depth else pb.DEPTH_MODE_OFF,
        depth_patience_s=wishes.depth_patience_s,
        depth_quality=enum_value(depth_pb2.DepthQuality, "DEPTH_QUALITY", wishes.depth_quality, "depth_quality"),
        model=wishes.model,
    )


def cutout_to_proto(wishes: CutoutOptions) -> pb.CutoutOptions:
    """Return the message of `wishes`."""
    return pb.CutoutOptions(
        mask_only=wishes.mask_only,
        format=enum_value(pb.ImageFormat, "IMAGE_FORMAT", wishes.format, "format"),
        matting=wishes.matting,
        foreground_threshold=wishes.foreground_threshold,
        background_threshold=wishes.background_threshold,
        erode_size=wishes.erode_size,
        background=wishes.background,
        metadata=enum_value(pb.MetadataMode, "METADATA_MODE", wishes.metadata.replace("-", "_"), "metadata"),
        with_mask=wishes.with_mask,
        estimate_foreground=wishes.estimate_foreground,
    )


def mesh_to_proto(wishes: MeshOptions) -> mesher_pb2.MeshOptions:
    """Return the message of `wishes`."""
    return mesher_pb2.MeshOptions(
        format=enum_value(mesher_pb2.MeshFormat, "MESH_FORMAT", wishes.format, "format"),
        texture=enum_value(mesher_pb2.TextureMode, "TEXTURE_MODE", wishes.texture, "texture"),
        resolution=wishes.resolution,
        threshold=wishes.threshold,
        texture_resolution=wishes.texture_resolution,
        use_depth=wishes.use_depth,
        size_mm=wishes.size_mm,
        faces=wishes.faces,
        smooth=wishes.smooth,
        placement=enum_value(mesher_pb2.MeshPlacement, "MESH_PLACEMENT", wishes.placement, "placement"),
    )


def enum_value(enum: Any, prefix: str, word: str | None, field: str) -> Any:
    """Return the enum's own name for a plain word; protobuf takes names for values."""
    name = f"{prefix}_{(word or 'unspecified').upper()}"
    if name not in enum.keys():  # noqa: SIM118 - an enum wrapper is not a dictionary
        words = [key.removeprefix(f"{prefix}_").lower() for key in enum.keys()[1:]]
        raise InvalidOption(f"{field} is {word!r}; wanted one of {', '.join(words)}", field=field)
    return name
