"""What every step of the chain sees: the working picture, the mask as it came, and where it is sure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from services.common.arrays import RGB, Alpha, BoolMask, Float
from services.common.imaging.colour_evidence import colour_evidence, to_lab
from services.common.imaging.signed_distance import is_crisp, soften
from services.common.imaging.thin_parts import find_thin_parts

SURE = 0.9  # above it subject, below 1 - SURE background: networks are seldom wrong there


@dataclass(frozen=True)
class RefineInput:
    """A picture and its mask at working size.

    Args:
        rgb: (H, W, 3) uint8.
        given: (H, W) float32 in [0, 1], the mask as it came.
    """

    rgb: RGB
    given: Alpha

    @cached_property
    def crisp(self) -> bool:
        """Whether the given mask is hard: it then has no doubt of its own and is believed more."""
        return is_crisp(self.given)

    @cached_property
    def alpha(self) -> Alpha:
        """(H, W) float32: the given mask with a band of doubt along its outline, its own if it has one."""
        return soften(self.given) if self.crisp else self.given

    @cached_property
    def subject(self) -> BoolMask:
        """(H, W) bool: sure subject."""
        return np.asarray(self.alpha > SURE)

    @cached_property
    def background(self) -> BoolMask:
        """(H, W) bool: sure background."""
        return np.asarray(self.alpha < 1 - SURE)

    @cached_property
    def unsure(self) -> BoolMask:
        """(H, W) bool: neither."""
        return ~(self.subject | self.background)

    @cached_property
    def lab(self) -> npt.NDArray[np.uint8]:
        """(H, W, 3) uint8."""
        return to_lab(self.rgb)

    @cached_property
    def thin(self) -> BoolMask:
        """(H, W) bool: thin parts and narrow gaps of the given mask."""
        return find_thin_parts(self.given >= 0.5)

    def evidence(self, query: BoolMask, *, whole: float) -> Float:
        """Return (H, W) float32, the colours' log likelihood ratio for the subject at `query`."""
        return colour_evidence(self.lab, self.subject, self.background, query, whole=whole)
