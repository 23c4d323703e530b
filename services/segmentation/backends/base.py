"""What a segmentation backend is: it loads once, and finds the subject of a photo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image

from services.common.arrays import RGB, Alpha, Float, alpha_from_bytes
from services.common.backends.backend_info import BackendInfo


@dataclass(frozen=True)
class RawMask:
    """What a backend says, before any refinement.

    Attributes:
        alpha: (H, W) float32 in [0, 1], as it is: not stretched so that the largest value is 1.
        score: the largest raw value, 0 to 1: how sure the backend is that there is a subject at all.
        answer: (h, w) float32, what a network said at its own size, for who wants it treated in another way.
    """

    alpha: Alpha
    score: float
    answer: Float | None = None

    def stretched(self) -> Alpha:
        """Return (H, W) as rembg's sessions hand it out: the smallest raw value 0, the largest 1, in 256 steps.

        Rounded down before it is scaled, as there: scaling in 8 bits clips what LANCZOS overshoots between its two
        passes, which moves sharp edges by up to 9/255. Where every value is the same nothing was found: all 0.

        >>> RawMask(np.array([[0.2, 0.4, 0.6]], dtype=np.float32), 0.6).stretched().round(2).tolist()
        [[0.0, 0.5, 1.0]]
        """
        values = self.alpha if self.answer is None else self.answer
        low, high = float(values.min()), float(values.max())
        if high <= low:
            return np.zeros_like(self.alpha)
        steps = Image.fromarray(((values - low) / (high - low) * 255).astype(np.uint8))
        height, width = self.alpha.shape
        return alpha_from_bytes(np.asarray(steps.resize((width, height), Image.Resampling.LANCZOS), dtype=np.uint8))


class Backend(BackendInfo, Protocol):
    """A way to find the subject. The properties tell what really runs, and are final once `load` has returned."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was asked for and is not so, one sentence each: they stand on every receipt."""

    @property
    def file_bytes(self) -> int:
        """Size of the weights on disk, or 0."""

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

    def close(self) -> None:
        """Give back what `load` took; nothing is asked of it any more."""
