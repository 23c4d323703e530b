"""Memory that ran out, on a GPU above all: one more try at a smaller size, then a clear error; the process lives."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from services.common.backends.out_of_memory import is_out_of_memory
from services.common.errors import StageUnavailable
from services.depth.depth_anything_v2.preprocess import PATCH_PX, NetworkSize

T = TypeVar("T")

_SHRINK = 0.6  # of each side: a third of the patches, and attention holds an eighth of the memory


def smaller(size: NetworkSize) -> NetworkSize:
    """Return the size for the one retry, about 0.6 of each side and never less than a patch."""
    columns, rows = (max(1, int(side * _SHRINK)) for side in (size.width_px // PATCH_PX, size.height_px // PATCH_PX))
    return NetworkSize(columns * PATCH_PX, rows * PATCH_PX, bounded=True)


class SmallerRetry:
    """Runs a network at a size that fits, and knows which sizes did not fit the last time."""

    def __init__(self) -> None:
        self._too_large: set[NetworkSize] = set()

    def run(self, infer: Callable[[NetworkSize], T], size: NetworkSize, device: str, *, fixed: bool = False) -> T:
        """Return what `infer` answers at `size`; where memory runs out, once more at a smaller size.

        Args:
            infer: one run of the network.
            size: what is wanted.
            device: for the error's words.
            fixed: the network knows this size only, so that there is no smaller one.
        Raises:
            StageUnavailable: memory ran out again. Any other error of the first try is raised as it is.
        """
        try:
            answer = infer(size)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if fixed:
                raise StageUnavailable(_no_memory(device, size)) from error
        else:
            self._too_large.discard(size)
            return answer
        less = smaller(size)  # outside the handler, so that the error no longer holds on to what it had
        try:
            answer = infer(less)
        except Exception as error:
            raise StageUnavailable(_no_memory(device, less)) from error
        self._too_large.add(size)
        return answer

    def note(self, size: NetworkSize, device: str) -> str:
        """Return that a photo of this size was seen smaller, or an empty string."""
        if size not in self._too_large:
            return ""
        less = smaller(size)
        return f"the {device} ran out of memory; depth saw the photo at {less.width_px} × {less.height_px} px"


def _no_memory(device: str, size: NetworkSize) -> str:
    return (
        f"the {device} has too little memory for depth, even at {size.width_px} × {size.height_px} px; "
        "free some, or run the depth stage elsewhere"
    )
