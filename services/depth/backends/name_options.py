"""Options behind a backend's name, `name?key=value&key=value`: read strictly, wrong ones named with the nearest."""

from __future__ import annotations

import difflib
from urllib.parse import parse_qsl

from services.common.errors import InvalidOption
from services.depth.depth_anything_v2.preprocess import INPUT_PX, PATCH_PX


def read_options(name: str, query: str) -> dict[str, str]:
    """Return the options of a name.

    Raises:
        InvalidOption: not of this form, or an option twice.
    """
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise InvalidOption(f"the options of {name!r} are not of the form key=value&key=value") from None
    options = dict(pairs)
    if len(options) < len(pairs):
        raise InvalidOption(f"an option stands twice in {name!r}", field="backend")
    return options


def refuse_unknown(options: dict[str, str], known: tuple[str, ...]) -> None:
    """Raise InvalidOption for the first key of `options` that is not in `known`."""
    for key in options:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
            raise InvalidOption(f"there is no option {key!r} here; the nearest is {near[0]!r}", field="backend")


def parse_size(text: str) -> int:
    """Return a network's short side in pixels.

    Raises:
        InvalidOption: not a multiple of 14 between 14 and 1554.
    """
    size = int(text) if text.isascii() and text.isdigit() else 0
    if size % PATCH_PX or not PATCH_PX <= size <= 3 * INPUT_PX:
        raise InvalidOption(f"size={text} must be a multiple of 14 from 14 to {3 * INPUT_PX}", field="backend")
    return size
