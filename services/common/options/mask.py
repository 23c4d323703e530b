"""How the mask is made: segmentation, depth, and what becomes of the two."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from services.common.choices import DepthQuality, Preset, Strategy
from services.common.options.base import Options
from services.common.options.declare import At, NotAt, Odd, Spelled, Unit, Unset

_BY_EYE = NotAt("page", "the page offers what people judge by eye; all else has a door of its own")


class SegmentationOptions(Options):
    """How the subject is found."""

    not_at = (_BY_EYE,)

    preset: Annotated[Preset, At("page")] = "balanced"
    """fast (no GrabCut, no matting), balanced, or quality."""
    use_grabcut: Annotated[bool | None, Unset("by preset")] = None
    """Ask GrabCut where the mask is unsure."""
    remove_small_components: Annotated[bool | None, Unset("by preset")] = None
    """Drop stray parts."""
    kernel_size: Annotated[int | None, Field(ge=3, le=7), Odd, Unit("px"), Unset("by preset")] = None
    """Kernel that closes pinholes and removes specks."""
    blur_size: Annotated[int | None, Field(ge=3, le=7), Odd, Unit("px"), Unset("by preset")] = None
    """Kernel that smooths the outline."""
    model: Annotated[str, Field(max_length=200)] = ""
    """Segmentation's model, e.g. u2netp, of the store there; empty is the one that runs."""


class DepthOptions(Options):
    """How depth is estimated."""

    not_at = (_BY_EYE,)

    depth_quality: Annotated[DepthQuality, At("page")] = "standard"
    """standard, or high: several estimates fused into a sharper map, at six times the work."""


class MaskOptions(DepthOptions, SegmentationOptions):
    """How the mask is made."""

    strategy: Annotated[Strategy, At("page")] = "auto"
    """How segmentation and depth are fused."""
    depth_percentile: Annotated[
        float | None,
        Field(ge=20, le=50, allow_inf_nan=False),
        Spelled({"auto": None}),
        Unit("%"),
        Unset("auto"),
        At("page"),
    ] = None
    """Depth cut of depth_guided, intersection and union; auto finds it between two groups of depths."""
    depth: Annotated[bool, At("page")] = True
    """Ask the depth stage."""
    depth_wait_s: Annotated[
        float | None, Field(ge=0, le=600, allow_inf_nan=False), Unit("s"), Unset("by what depth usually takes")
    ] = None
    """Wait budget: how long depth may hold the answer up once segmentation is done."""
    mask: Annotated[bytes, At("page"), NotAt("WebSocket", "its one binary message is the photo")] = b""
    """An encoded mask (picture, NPY, or NPZ with one array) that replaces segmentation."""
    depth_map: Annotated[
        bytes, NotAt("CLI", "--depth FILE is it"), NotAt("WebSocket", "its one binary message is the photo")
    ] = b""
    """An encoded inverse depth (NPY, NPZ, or a 16-bit picture; larger is nearer) that replaces the depth stage."""
