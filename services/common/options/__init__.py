"""The options of a request: what a caller may ask for."""

from services.common.options.choices import DepthQuality, ImageFormat, MeshFormat, Placement, Preset, Strategy, Texture
from services.common.options.models import CutoutOptions, MaskOptions, MeshOptions

__all__ = [
    "CutoutOptions",
    "DepthQuality",
    "ImageFormat",
    "MaskOptions",
    "MeshFormat",
    "MeshOptions",
    "Placement",
    "Preset",
    "Strategy",
    "Texture",
]
