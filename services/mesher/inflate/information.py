"""Whether a depth map says anything about this subject."""

from __future__ import annotations

from services.common.arrays import BoolMask, InverseDepth


def is_informative(depth: InverseDepth, mask: BoolMask) -> bool:
    return True
