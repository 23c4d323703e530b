"""What was made of one item, and its files under fixed names, so that other tools can score them:

masks/ITEM.VARIANT.png   8-bit grey      depth/ITEM.png   16-bit grey, larger is nearer
meshes/ITEM.VARIANT.glb  +X right, +Y up, +Z towards the camera
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from services.common.arrays import InverseDepth
from services.common.errors import UnflatError

Bytes2D = npt.NDArray[np.uint8]
"""(H, W) uint8: a mask as it is written to disk; figures are taken from it, so that other tools find the same."""


@dataclass
class Outputs:
    """What was made of one item, by variant, filled as it comes.

    Attributes:
        masks: of each variant; one that failed is not there.
        depth: the inverse depth that was used, or None.
        meshes: GLB files.
        notes: facts worth reading, such as the mesh's verdict.
        failures: why a mask or a mesh could not be made, one sentence each.
    """

    masks: dict[str, Bytes2D] = field(default_factory=dict)
    depth: InverseDepth | None = None
    meshes: dict[str, bytes] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def noting(self, what: str) -> Iterator[None]:
        """Make something in the body; an `UnflatError` is noted as the reason why there is none."""
        try:
            yield
        except UnflatError as problem:
            self.failures[what] = problem.message

    def has_failed(self, kind: str, variant: str) -> bool:
        """Tell whether the mask or the mesh of a variant was wanted and could not be made."""
        return f"{kind} of {variant}" in self.failures


def write_outputs(folder: Path, name: str, outputs: Outputs) -> None:
    """Write the masks, the depth and the meshes of one item."""
    for kind in ("masks", "depth", "meshes"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for variant, mask in outputs.masks.items():
        Image.fromarray(mask).save(folder / "masks" / f"{name}.{variant}.png")
    if outputs.depth is not None:
        Image.fromarray(_sixteen_bits(outputs.depth)).save(folder / "depth" / f"{name}.png")
    for variant, data in outputs.meshes.items():
        (folder / "meshes" / f"{name}.{variant}.glb").write_bytes(data)


def _sixteen_bits(depth: InverseDepth) -> npt.NDArray[np.uint16]:
    seen = np.isfinite(depth)
    low, high = (float(depth[seen].min()), float(depth[seen].max())) if seen.any() else (0.0, 1.0)
    scaled = (np.where(seen, depth, low) - low) / max(high - low, 1e-12)
    return np.asarray(np.rint(scaled * 65535), dtype=np.uint16)
