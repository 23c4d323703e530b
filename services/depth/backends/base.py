"""What a depth backend is.

Convention: every backend answers relative inverse depth: larger is nearer, float32, no unit, scale and shift unknown
and different from picture to picture.
"""

from __future__ import annotations

from typing import Protocol

from services.common.arrays import RGB, InverseDepth


class Backend(Protocol):
    """A depth network. The properties tell what really runs, and are final once `load` has returned."""

    @property
    def name(self) -> str:
        """The full name, never `auto`."""

    @property
    def device(self) -> str:
        """`cpu` or `cuda`."""

    @property
    def dtype(self) -> str:
        """The arithmetic of the network: `float32`, `bfloat16` or `float16`."""

    @property
    def digest(self) -> str:
        """sha256 of the weights."""

    @property
    def licence(self) -> str:
        """The licence of the weights."""

    def load(self) -> None:
        """Load the network and run it once on a synthetic picture; a second call does nothing. Thread-safe.

        Raises:
            StageUnavailable: a library or file is missing, or the file is not what it should be.
        """

    def estimate(self, rgb: RGB) -> InverseDepth:
        """Return (H, W) float32 raw values at the size of `rgb`, larger is nearer. Thread-safe; needs `load` first."""

    def note(self, width_px: int, height_px: int) -> str:
        """Return one sentence about what is special at this photo size, or an empty string."""
