"""Background colours as people write them."""

from __future__ import annotations

import re
from typing import TypeAlias

from services.common.errors import InvalidOption

Colour: TypeAlias = tuple[int, int, int]
ColourAlpha: TypeAlias = tuple[int, int, int, int]

_NAMES: dict[str, Colour] = {"white": (255, 255, 255), "black": (0, 0, 0), "grey": (128, 128, 128)}
_HEX = re.compile(r"#?([0-9a-fA-F]{6})")
_NUMBER = re.compile(r"\s*[+-]?\d{1,9}\s*", re.ASCII)


def parse_background(text: str, field: str) -> Colour | None:
    """Return (r, g, b) of `r,g,b`, `#rrggbb`, white, black or grey; None for transparent or nothing.

    Raises:
        InvalidOption: it is none of these.
    """
    words = text.strip().lower()
    if words in ("", "transparent", "none"):
        return None
    if words in _NAMES:
        return _NAMES[words]
    if found := _HEX.fullmatch(words):
        value = int(found[1], 16)
        return value >> 16, value >> 8 & 255, value & 255
    numbers = _numbers(words)
    if len(numbers) != 3 or not all(0 <= number <= 255 for number in numbers):
        raise InvalidOption(f"{field} is {text[:40]!r}; wanted r,g,b (0 to 255 each) or #rrggbb", field=field)
    return numbers[0], numbers[1], numbers[2]


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
