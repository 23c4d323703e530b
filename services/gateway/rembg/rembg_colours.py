"""rembg's background colours."""

from __future__ import annotations

import re
from typing import TypeAlias

from services.common.errors import InvalidOption

ColourAlpha: TypeAlias = tuple[int, int, int, int]

_NUMBER = re.compile(r"\s*[+-]?\d{1,9}\s*", re.ASCII)


def parse_rembg_colour(text: str) -> ColourAlpha:
    """Return rembg's `r,g,b[,a]`: opaque without an alpha, one number is grey, numbers are held to 0–255.

    Raises:
        InvalidOption: not one, three or four whole numbers.
    """
    numbers = [min(max(number, 0), 255) for number in _numbers(text)]
    if len(numbers) == 1:
        numbers = numbers * 3
    if len(numbers) == 3:
        numbers.append(255)
    if len(numbers) != 4:
        raise InvalidOption(f"bgc is {text[:40]!r}; wanted whole numbers r,g,b or r,g,b,a", field="bgc")
    return numbers[0], numbers[1], numbers[2], numbers[3]


def _numbers(text: str) -> list[int]:
    parts = text.split(",")
    return [int(part) for part in parts] if all(_NUMBER.fullmatch(part) for part in parts) else []
