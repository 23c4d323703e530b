"""How the mesh is made, and written."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from services.common.choices import MeshFormat, Placement, Texture
from services.common.options.base import Options
from services.common.options.declare import At, NotAt, Unit, Unset


class MeshOptions(Options):
    """How the mesh is made, and written."""

    not_at = (NotAt("page", "the page shows the mesh as it comes; what printers and games need has a door of its own"),)

    format: Annotated[MeshFormat, At("page")] = "glb"
    """Format of the mesh; a textured obj is a zip of .obj, .mtl and .png."""
    texture: Texture = "vertex"
    """Colours a vertex, or a baked atlas."""
    resolution: Annotated[int | None, Field(ge=32, le=1024), Unit("cells"), Unset("the mesher's own")] = None
    """Cells along the longest side of the extraction grid."""
    threshold: Annotated[float | None, Field(ge=-1e6, le=1e6, allow_inf_nan=False), Unset("the mesher's own")] = None
    """Iso-level of the density (triposr only)."""
    texture_resolution: Annotated[int, Field(ge=256, le=4096), Unit("px")] = 1024
    """Side of a baked atlas."""
    use_depth: bool = True
    """The front's relief follows the depth map."""
    size_mm: Annotated[
        float | None, Field(ge=1e-3, le=1e6, allow_inf_nan=False), Unit("mm"), Unset("one unit of the file")
    ] = None
    """Largest extent; a GLB states it in metres, as glTF demands, other formats in millimetres."""
    faces: Annotated[int | None, Field(ge=100, le=2_000_000), Unset("as many as it takes")] = None
    """Most faces."""
    smooth: Annotated[int, Field(ge=0, le=100), Unit("rounds")] = 0
    """Smoothing that keeps the volume."""
    placement: Placement = "centred"
    """Centred on its box, or standing on y = 0."""
