"""What a request may ask for, in three groups: the mask, the cutout, the mesh."""

from __future__ import annotations

from dataclasses import dataclass

from services.common.options.choices import DepthQuality, ImageFormat, MeshFormat, Placement, Preset, Strategy, Texture
from services.common.photos.metadata import MetadataMode


@dataclass(frozen=True)
class MaskOptions:
    """How the mask is made; None leaves the choice to the service.

    Attributes:
        preset: fast (no GrabCut, no matting), balanced, quality.
        strategy: how segmentation and depth are fused.
        depth_percentile: 20 to 50, of the global strategies; None is adaptive.
        depth: ask the depth stage at all.
        depth_patience_s: how long depth may hold the answer up once segmentation is done.
        use_grabcut, remove_small_components, kernel_size, blur_size: single steps of the refinement chain.
        mask: an encoded mask that replaces segmentation.
        depth_map: an encoded inverse depth that replaces the depth stage.
        depth_quality: standard, or high: sharper, at six times the work of the depth stage.
        model: segmentation's, by name, e.g. u2netp; its weights must be in the store there.
    """

    preset: Preset | None = None
    strategy: Strategy | None = None
    depth_percentile: float | None = None
    depth: bool = True
    depth_patience_s: float | None = None
    use_grabcut: bool | None = None
    remove_small_components: bool | None = None
    kernel_size: int | None = None
    blur_size: int | None = None
    mask: bytes = b""
    depth_map: bytes = b""
    depth_quality: DepthQuality | None = None
    model: str = ""


@dataclass(frozen=True)
class CutoutOptions:
    """How the cutout is written; None leaves the choice to the service.

    `metadata` says what of EXIF, XMP and the ICC profile is carried over; `with_mask` asks for the mask beside the
    cutout; without `estimate_foreground` soft pixels keep the photo's colour, background and all.
    """

    mask_only: bool = False
    format: ImageFormat = "png"
    background: tuple[int, int, int] | None = None
    matting: bool | None = None
    foreground_threshold: int | None = None
    background_threshold: int | None = None
    erode_size: int | None = None
    metadata: MetadataMode = "all"
    with_mask: bool = False
    estimate_foreground: bool | None = None


@dataclass(frozen=True)
class MeshOptions:
    """How the mesh is made; None leaves the choice to the mesher."""

    format: MeshFormat = "glb"
    texture: Texture = "vertex"
    resolution: int | None = None
    threshold: float | None = None
    texture_resolution: int | None = None
    use_depth: bool | None = None
    size_mm: float | None = None
    faces: int | None = None
    smooth: int | None = None
    placement: Placement = "centred"
