"""Options that several commands share, with one wording."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from services.common.errors import InvalidOption
from services.common.options import MaskOptions


class Preset(StrEnum):
    """How much effort goes into the mask."""

    fast = "fast"
    balanced = "balanced"
    quality = "quality"


class Strategy(StrEnum):
    """How segmentation and depth are fused."""

    auto = "auto"
    depth_guided = "depth_guided"
    intersection = "intersection"
    union = "union"
    segmentation = "segmentation"


class DepthQuality(StrEnum):
    """How much work goes into the depth map."""

    standard = "standard"
    high = "high"


class MeshFormat(StrEnum):
    """Formats of meshes."""

    glb = "glb"
    obj = "obj"
    ply = "ply"
    stl = "stl"


class Texture(StrEnum):
    """How the mesh is coloured."""

    vertex = "vertex"
    baked = "baked"


class ImageFormat(StrEnum):
    """Formats of pictures."""

    png = "png"
    webp = "webp"
    tiff = "tiff"
    jpeg = "jpeg"


Inputs = Annotated[list[Path], typer.Argument(help="Photos, or folders of photos.", show_default=False)]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")]
PresetOption = Annotated[Preset, typer.Option(help="fast (no GrabCut, no matting), balanced or quality.")]
StrategyOption = Annotated[Strategy, typer.Option(help="How segmentation and depth are fused.")]
PercentileOption = Annotated[str, typer.Option(help="Depth cut of the global strategies: auto, or 20 to 50.")]
DepthOption = Annotated[str, typer.Option(help="on, off, or a FILE (NPZ or 16-bit picture, larger is nearer).")]
DepthQualityOption = Annotated[
    DepthQuality, typer.Option(help="high fuses several looks into a sharper depth map: six times the work.")
]
ModelOption = Annotated[
    str, typer.Option(help="Segmentation's model, e.g. u2netp, of the store there; without it, what runs.")
]
MaskOption = Annotated[Path | None, typer.Option(help="A mask (PNG or NPZ, white is subject) instead of segmentation.")]
DebugOption = Annotated[Path | None, typer.Option(help="Folder for pictures of every step between.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One receipt a line on stdout, nothing else.")]
ServerOption = Annotated[
    str | None, typer.Option(help="HOST:PORT of a running orchestrator; without it, services are started.")
]
TimeoutOption = Annotated[float, typer.Option(min=1.0, help="Seconds for each photo.")]


def mask_wishes(
    preset: Preset,
    strategy: Strategy,
    percentile: str,
    depth: str,
    mask: Path | None,
    depth_quality: DepthQuality,
    model: str,
) -> MaskOptions:
    """Return what the options ask of the mask; files named in them are read.

    Raises:
        InvalidOption: a value that means nothing, or a file that cannot be read.
    """
    number: float | None = None
    if percentile != "auto":
        try:
            number = float(percentile)
        except ValueError:
            raise InvalidOption(f"--depth-percentile is {percentile!r}; wanted auto or 20 to 50") from None
    return MaskOptions(
        preset=preset.value,
        strategy=strategy.value,
        depth_percentile=number,
        depth=depth != "off",
        depth_map=b"" if depth in ("on", "off") else _read(Path(depth), "--depth"),
        mask=b"" if mask is None else _read(mask, "--mask"),
        depth_quality=depth_quality.value,
        model=model,
    )


def files_read(depth: str, mask: Path | None) -> list[Path]:
    """Return the files that these options name: they are inputs, never to be written over."""
    return [*([] if depth in ("on", "off") else [Path(depth)]), *([] if mask is None else [mask])]


def _read(path: Path, option: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise InvalidOption(f"{option} {path} cannot be read: {problem.strerror}") from None
