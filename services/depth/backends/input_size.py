"""The option `size` of a depth network: its short side in pixels."""

from __future__ import annotations

from services.common.errors import InvalidOption
from services.depth.depth_anything_v2.preprocess import INPUT_PX, PATCH_PX


def parse_size(text: str) -> int:
    """Return a network's short side in pixels.

    Raises:
        InvalidOption: not a multiple of 14 between 14 and 1554.
    """
    size = int(text) if text.isascii() and text.isdigit() else 0
    if size % PATCH_PX or not PATCH_PX <= size <= 3 * INPUT_PX:
        raise InvalidOption(f"size={text} must be a multiple of 14 from 14 to {3 * INPUT_PX}", field="backend")
    return size
