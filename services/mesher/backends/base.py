"""What a mesher is: it loads once, and turns framed subjects into meshes.

A new one is one file with a class like this and one row in `catalogue.py`; `docs/backends.md` has the recipe.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from services.common.arrays import RGBA, InverseDepth
from services.common.backends.backend_info import BackendInfo
from services.mesher.geometry.camera import Camera
from services.mesher.geometry.mesh import Mesh

Progress = Callable[[str, float], None]
"""Called with the step's name and the share done, 0 to 1; may raise to stop the work."""


@dataclass(frozen=True)
class FramedSubject:
    """What a mesher gets to see.

    Attributes:
        rgba: (S, S, 4) uint8, straight alpha, the subject's longer side at 85 % of S.
        depth: (S, S) float32 inverse depth of the same frame with its surroundings (NaN beyond the photo), or None.
        camera: the pinhole camera in pixels of the frame.
    """

    rgba: RGBA
    depth: InverseDepth | None
    camera: Camera


@dataclass(frozen=True)
class MeshOptions:
    """What a caller may ask of any mesher; None is the backend's own choice.

    Attributes:
        resolution: cells along the longest side of the extraction grid.
        threshold: iso-level of the density, for meshers that have one.
        use_depth: whether the front's relief follows the depth map.
    """

    resolution: int | None = None
    threshold: float | None = None
    use_depth: bool = True


class Backend(BackendInfo, Protocol):
    """A mesher."""

    def load(self) -> None:
        """Load weights; called once, before the service meshes a disc to warm up and says SERVING."""

    def mesh(self, subject: FramedSubject, options: MeshOptions, progress: Progress) -> Mesh:
        """Return a closed mesh with colours a vertex; thread-safe."""
