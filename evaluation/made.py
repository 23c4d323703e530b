"""What was made of one item, however it was made: masks, depth, meshes, and what went wrong."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from services.common.arrays import InverseDepth
from services.common.errors import InvalidImage, UnflatError
from services.common.photos.decoding import decode_mask

Bytes2D = npt.NDArray[np.uint8]
"""(H, W) uint8: a mask as it is written to disk; figures are taken from it, so that other tools find the same."""


@dataclass
class Made:
    """The products of one item by way, filled as they come.

    Attributes:
        masks: what each way made; a way that failed is not there.
        depth: the inverse depth that was used, or None.
        meshes: GLB files.
        notes: facts worth reading, such as the mesh's verdict, by way.
        failures: one sentence a way that could not be gone.
    """

    masks: dict[str, Bytes2D] = field(default_factory=dict)
    depth: InverseDepth | None = None
    meshes: dict[str, bytes] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def fail(self, what: str, problem: UnflatError) -> None:
        """Note why something could not be made."""
        self.failures[what] = problem.message

    def has_failed(self, kind: str, way: str) -> bool:
        """Tell whether the mask or the mesh of a way was wanted and could not be made."""
        return f"{kind} of {way}" in self.failures or "photo" in self.failures


def read_alpha(data: bytes) -> npt.NDArray[np.float32]:
    """Return an encoded mask as (H, W) float32: its alpha channel if it has a useful one, else its grey.

    Raises:
        InvalidImage: it is no mask.
    """
    alpha = decode_mask(data)
    if alpha.ndim != 2:
        raise InvalidImage(f"the mask has shape {alpha.shape}; wanted (height, width)")
    return alpha
