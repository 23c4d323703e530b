"""The embedded mesher as a backend: no weights, no torch, always there."""

from __future__ import annotations

import numpy as np

from services.mesher.backends.base import FramedSubject, MeshOptions, Progress
from services.mesher.inflate import Camera, InflateOptions, inflate
from services.mesher.mesh import Mesh

_FACES_PER_CELL_SQUARED = 3.7  # measured: 60,000 faces at 128 cells along the longest side of a compact subject
_WARM_UP_SIDE_PX = 64


class InflateBackend:
    """Inflates the silhouette; with depth, the front follows it."""

    name = "inflate"
    device = "cpu"
    dtype = "float32"
    digest = ""
    licence = ""

    def load(self) -> None:
        """Import and run once on a disc, so that the first request does not pay for it."""
        y, x = np.mgrid[0:_WARM_UP_SIDE_PX, 0:_WARM_UP_SIDE_PX] - (_WARM_UP_SIDE_PX - 1) / 2
        rgba = np.full((_WARM_UP_SIDE_PX, _WARM_UP_SIDE_PX, 4), 128, dtype=np.uint8)
        rgba[:, :, 3] = np.where(np.hypot(x, y) < 0.4 * _WARM_UP_SIDE_PX, 255, 0)
        half = _WARM_UP_SIDE_PX / 2
        inflate(rgba, None, Camera(1.4 * _WARM_UP_SIDE_PX, half, half), InflateOptions(max_faces=4_000))

    def mesh(self, subject: FramedSubject, options: MeshOptions, progress: Progress) -> Mesh:
        """Return a watertight mesh with colours a vertex."""
        progress("inflate", 0.1)
        knobs = InflateOptions()
        if options.resolution is not None:
            faces = round(_FACES_PER_CELL_SQUARED * options.resolution**2)
            knobs = InflateOptions(max_faces=min(max(faces, 2_000), 500_000))
        depth = subject.depth if options.use_depth else None
        mesh = inflate(subject.rgba, depth, subject.camera, knobs)
        progress("inflate", 0.75)
        return mesh
