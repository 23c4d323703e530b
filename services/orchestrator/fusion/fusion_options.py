"""What the fusion of mask and depth can be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from services.common.choices import Strategy
from services.common.errors import InvalidOption

Percentile: TypeAlias = float | Literal["auto"]


@dataclass(frozen=True)
class FusionOptions:
    """How mask and depth become one.

    Args:
        strategy: "auto" compares depths locally; the others cut it globally.
        depth_percentile: of the global cuts: keeps depth ≥ max - N % of (max - min). 20 to 50, more keeps more; "auto"
            finds the cut between two groups of depths.
        morph_kernel_size: odd, 1 to 31 px: opening and closing of the depth mask. 1 does nothing.
        blur_size: odd, 1 to 31 px: smoothing of its outline. 1 does nothing.
    Raises:
        InvalidOption: a size is out of its range.
    """

    strategy: Strategy = "auto"
    depth_percentile: Percentile = 35.0
    morph_kernel_size: int = 7
    blur_size: int = 7

    def __post_init__(self) -> None:
        for name in ("morph_kernel_size", "blur_size"):
            value = getattr(self, name)
            if not (1 <= value <= 31 and value % 2 == 1):
                raise InvalidOption(f"{name} is {value}; it must be odd and 1 to 31", field=name)
