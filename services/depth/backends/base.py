"""What a depth backend is.

Convention: every backend answers relative inverse depth: larger is nearer, float32, no unit, scale and shift unknown
and different from picture to picture.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from services.common.arrays import RGB, InverseDepth
from services.common.backends.backend_info import BackendInfo


def go_on() -> None:
    """Check nothing: nobody can leave."""


class Backend(BackendInfo, Protocol):
    """A depth network."""

    def load(self) -> None:
        """Load the network and run it once on a synthetic picture; a second call does nothing. Thread-safe.

        Raises:
            StageUnavailable: a library or file is missing, or the file is not what it should be.
        """

    def estimate(self, rgb: RGB, check: Callable[[], None] = go_on) -> InverseDepth:
        """Return (H, W) float32 raw values at the size of `rgb`, larger is nearer. Thread-safe; needs `load` first.

        Args:
            rgb: (H, W, 3) uint8.
            check: raises when nobody waits any longer; called while the photo waits for its turn in a batch.
        """

    def size_notes(self, width_px: int, height_px: int) -> tuple[str, ...]:
        """Return what is special at this photo size, beside `notes`; mostly nothing."""
