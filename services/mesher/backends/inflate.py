"""The embedded mesher as a backend: no weights, no torch, always there."""

from __future__ import annotations

from services.common.backends.backend_catalogue import Resources
from services.common.backends.backend_spec import BackendSpec
from services.mesher.backends.base import FramedSubject, MeshOptions, Progress
from services.mesher.extract.parts import drop_floaters
from services.mesher.geometry.mesh import Mesh
from services.mesher.inflate import inflate
from services.mesher.inflate.solid import FACE_LIMITS, FACES

CRUMB_AREA = 0.001  # of the surface: what is smaller is no part of the mask, which keeps pieces from 1 % of the largest
_FACES_PER_CELL_SQUARED = 3.7  # measured: 60,000 faces at 128 cells along the longest side of a compact subject


def open_inflate(spec: BackendSpec, resources: Resources) -> InflateBackend:
    """Return the backend; it has no options and needs nothing.

    Raises:
        InvalidOption: an option was given.
    """
    del resources
    spec.refuse_unknown()
    return InflateBackend()


class InflateBackend:
    """Inflates the silhouette; with depth, the front follows it."""

    name = "inflate"
    device = "cpu"
    dtype = "float32"
    digest = ""
    licence = ""
    notes: tuple[str, ...] = ()

    def load(self) -> None:
        """Do nothing: there are no weights."""

    def mesh(self, subject: FramedSubject, options: MeshOptions, progress: Progress) -> Mesh:
        """Return a watertight mesh with colours a vertex."""
        progress("inflate", 0.1)
        faces = FACES
        if options.resolution is not None:
            faces = min(max(round(_FACES_PER_CELL_SQUARED * options.resolution**2), FACE_LIMITS[0]), FACE_LIMITS[1])
        depth = subject.depth if options.use_depth else None
        return drop_floaters(inflate(subject.rgba, depth, subject.camera, faces), CRUMB_AREA)
