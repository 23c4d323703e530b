"""What a segmentation backend is: it loads once, and finds the subject of a photo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from services.common.arrays import RGB, Alpha


@dataclass(frozen=True)
class RawMask:
    """What a backend says, before any refinement.

    Attributes:
        alpha: (H, W) float32 in [0, 1], as it is: not stretched so that the largest value is 1.
        score: the largest raw value, 0 to 1: how sure the backend is that there is a subject at all.
    """

    alpha: Alpha
    score: float


class Backend(Protocol):
    """A way to find the subject. The properties tell what really runs, and are final once `load` has returned."""

    @property
    def name(self) -> str:
        """The full name, never `auto`."""

    @property
    def device(self) -> str:
        """What it really runs on: cpu, cuda or openvino."""

    @property
    def dtype(self) -> str:
        """What it computes in."""

    @property
    def digest(self) -> str:
        """sha256 of the weights, or empty."""

    @property
    def licence(self) -> str:
        """Licence of the weights, or empty."""

    def load(self) -> None:
        """Load and warm up; a second call does nothing. Thread-safe.

        Raises:
            StageUnavailable: a library or a file is missing, or a GPU that was required is.
        """

    def segment(self, rgb: RGB) -> RawMask:
        """Return the mask of an (H, W, 3) photo, at its size. Thread-safe.

        Raises:
            NoSubject: nothing stands out.
        """
