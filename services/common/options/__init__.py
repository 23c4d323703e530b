"""The options of a request, each stated once: name, type, range, unit, default, one sentence, and the doors it has.

    MaskOptions(preset="quality", kernel_size=5)

Messages, form fields, JSON, the command line, error sentences and docs/options.md follow from these groups.
"""

from services.common.options.cutout import CutoutOptions
from services.common.options.mask import DepthOptions, MaskOptions
from services.common.options.mesh import MeshOptions
from services.common.options.parse import fill, parse_options

__all__ = [
    "CutoutOptions",
    "DepthOptions",
    "MaskOptions",
    "MeshOptions",
    "fill",
    "parse_options",
]
