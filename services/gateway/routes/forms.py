"""Form fields to wishes: one field for each option of the pipeline, under its own name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_args, get_type_hints

from fastapi import Form
from pydantic import BaseModel, ConfigDict, create_model

from services.common.errors import InvalidOption
from services.common.options import (
    CutoutOptions,
    DepthQuality,
    ImageFormat,
    MaskOptions,
    MeshFormat,
    MeshOptions,
    Placement,
    Preset,
    Strategy,
    Texture,
)
from services.common.photos.metadata import MetadataMode
from services.gateway.routes.colours import parse_background

MOST_ERODE_PX = 1000

PresetField = Annotated[Preset, Form(description="fast: no GrabCut, no matting; balanced; quality")]
StrategyField = Annotated[Strategy | None, Form(description="how segmentation and depth are fused; default auto")]
PercentileField = Annotated[str | None, Form(description="auto, or 20 to 50: cut of the global depth strategies")]
DepthField = Annotated[bool, Form(description="on or off: ask the depth stage")]
PatienceField = Annotated[float | None, Form(ge=0, le=600, description="seconds depth may hold the answer up")]
DepthQualityField = Annotated[
    DepthQuality | None, Form(description="standard; high: a sharper depth map at six times the work")
]
ModelField = Annotated[str, Form(max_length=200, description="segmentation's model, e.g. u2netp; default what runs")]
GrabcutField = Annotated[bool | None, Form(description="GrabCut where the mask is unsure; default by preset")]
ComponentsField = Annotated[bool | None, Form(description="drop stray parts; default by preset")]
KernelField = Annotated[int | None, Form(ge=3, le=7, description="morphology kernel, odd, in pixels")]
BlurField = Annotated[int | None, Form(ge=3, le=7, description="edge smoothing, odd, in pixels")]
ImageFormatField = Annotated[str | None, Form(description="png, webp, tiff or jpeg; goes before Accept")]
BackgroundField = Annotated[str | None, Form(description="r,g,b or #rrggbb to composite on; default transparent")]
MaskOnlyField = Annotated[bool, Form(description="answer the mask as a grey picture")]
MattingField = Annotated[bool | None, Form(description="alpha matting at the edge; default by preset")]
LevelField = Annotated[int | None, Form(ge=0, le=255, description="threshold of the classic trimap, 0 to 255")]
ErodeField = Annotated[int | None, Form(ge=0, le=MOST_ERODE_PX, description="erosion of the classic trimap, pixels")]
ForegroundField = Annotated[
    bool | None, Form(description="take the background's colour out of soft pixels, the default; no: keep the photo's")
]
MetadataField = Annotated[MetadataMode, Form(description="what is kept of the photo's EXIF and XMP: all; no-gps; none")]
MeshFormatField = Annotated[MeshFormat, Form(description="glb; obj (a zip when textured); ply; stl")]
TextureField = Annotated[Texture, Form(description="vertex colours, or a baked atlas")]
ResolutionField = Annotated[int | None, Form(ge=32, le=1024, description="cells along the extraction grid")]
ThresholdField = Annotated[
    float | None, Form(ge=-1e6, le=1e6, allow_inf_nan=False, description="iso-level of the density")
]
AtlasField = Annotated[int | None, Form(ge=256, le=4096, description="side of a baked atlas, pixels")]
ReliefField = Annotated[bool | None, Form(description="whether the front follows the depth map")]
SizeField = Annotated[
    float | None, Form(ge=1e-3, le=1e6, allow_inf_nan=False, description="largest extent in millimetres")
]
FacesField = Annotated[int | None, Form(ge=100, le=2_000_000, description="most faces")]
SmoothField = Annotated[int | None, Form(ge=0, le=100, description="rounds of smoothing that keeps the volume")]
PlacementField = Annotated[Placement, Form(description="centred on its box, or standing on y = 0")]


def mask_form(default_preset: Preset, default_depth: bool) -> Callable[..., MaskOptions]:
    """Return a dependency that reads how the mask is to be made, with the defaults of one route."""

    def read(
        preset: PresetField = default_preset,
        strategy: StrategyField = None,
        depth_percentile: PercentileField = None,
        depth: DepthField = default_depth,
        depth_patience_s: PatienceField = None,
        use_grabcut: GrabcutField = None,
        remove_small_components: ComponentsField = None,
        kernel_size: KernelField = None,
        blur_size: BlurField = None,
        depth_quality: DepthQualityField = None,
        model: ModelField = "",
    ) -> MaskOptions:
        return MaskOptions(
            preset=preset,
            strategy=strategy,
            depth_percentile=_percentile(depth_percentile),
            depth=depth,
            depth_patience_s=depth_patience_s,
            use_grabcut=use_grabcut,
            remove_small_components=remove_small_components,
            kernel_size=_odd("kernel_size", kernel_size),
            blur_size=_odd("blur_size", blur_size),
            depth_quality=depth_quality,
            model=model,
        )

    return read


def cutout_form(
    format: ImageFormatField = None,  # noqa: A002 - the field's name
    background: BackgroundField = None,
    bgc: BackgroundField = None,
    mask_only: MaskOnlyField = False,
    matting: MattingField = None,
    foreground_threshold: LevelField = None,
    background_threshold: LevelField = None,
    erode_size: ErodeField = None,
    estimate_foreground: ForegroundField = None,
    metadata: MetadataField = "all",
) -> tuple[CutoutOptions, bool]:
    """Return how the cutout is to be written, and whether the form names the format."""
    wishes = CutoutOptions(
        mask_only=mask_only,
        format=_image_format(format) if format else "png",
        background=parse_background(background or bgc or "", "background" if background else "bgc"),
        matting=matting,
        foreground_threshold=foreground_threshold,
        background_threshold=background_threshold,
        erode_size=erode_size,
        estimate_foreground=estimate_foreground,
        metadata=metadata,
    )
    return wishes, bool(format)


def mesh_form(
    format: MeshFormatField = "glb",  # noqa: A002 - the field's name
    texture: TextureField = "vertex",
    resolution: ResolutionField = None,
    threshold: ThresholdField = None,
    texture_resolution: AtlasField = None,
    use_depth: ReliefField = None,
    size_mm: SizeField = None,
    faces: FacesField = None,
    smooth: SmoothField = None,
    placement: PlacementField = "centred",
) -> MeshOptions:
    """Return how the mesh is to be made."""
    return MeshOptions(
        format, texture, resolution, threshold, texture_resolution, use_depth, size_mm, faces, smooth, placement
    )


def options_model(*readers: Callable[..., object]) -> type[BaseModel]:
    """Return a model with the fields of the given form readers, for options that come as JSON."""
    fields: dict[str, Any] = {}
    for reader in readers:
        hints = get_type_hints(reader, include_extras=True)
        for name, parameter in inspect.signature(reader).parameters.items():
            fields[name] = (hints[name], parameter.default)
    return create_model("Options", __config__=ConfigDict(extra="forbid"), **fields)


def accepted_format(accept: str) -> ImageFormat:
    """Return the picture format an Accept header likes best; PNG where it has no opinion or names none of ours."""
    best: ImageFormat = "png"
    best_weight = 0.0
    for entry in accept.split(","):
        media_type, _, parameters = entry.partition(";")
        media_type = media_type.strip().lower()
        name = "png" if media_type in ("*/*", "image/*") else media_type.removeprefix("image/")
        for known in get_args(ImageFormat):
            weight = _weight(parameters)
            if name == known and weight > best_weight:
                best, best_weight = known, weight
    return best


def _weight(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0


def _image_format(text: str) -> ImageFormat:
    wanted = {"jpg": "jpeg", "tif": "tiff"}.get(text.lower(), text.lower())
    for known in get_args(ImageFormat):
        if wanted == known:
            return known  # type: ignore[no-any-return]
    raise InvalidOption(f"format is {text[:40]!r}; wanted png, webp, tiff or jpeg", field="format")


def _percentile(text: str | None) -> float | None:
    if text is None or text.strip().lower() in ("", "auto"):
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 1 <= value <= 99:
        raise InvalidOption(
            f"depth_percentile is {text[:40]!r}; wanted auto or a number of 20 to 50", field="depth_percentile"
        )
    return value


def _odd(field: str, value: int | None) -> int | None:
    if value is not None and value % 2 == 0:
        raise InvalidOption(f"{field} is {value}; wanted an odd number of 3 to 7", field=field)
    return value
