"""Options behind a backend's name, `name?key=value&key=value`: read strictly, wrong ones named with the nearest."""

from __future__ import annotations

import difflib
import math
from typing import TypeAlias
from urllib.parse import parse_qsl

from services.common.errors import InvalidOption

Triple: TypeAlias = tuple[float, float, float]


def read_options(name: str, query: str) -> dict[str, str]:
    """Return the options of a name.

    Raises:
        InvalidOption: not of this form, or an option twice.
    """
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise InvalidOption(
            f"the options of {name!r} are not of the form key=value&key=value", field="backend"
        ) from None
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


def read_triple(options: dict[str, str], key: str, default: Triple) -> Triple:
    """Return three finite numbers with commas, one a colour channel, or `default` where the key is not there.

    Raises:
        InvalidOption: anything else.
    """
    if key not in options:
        return default
    try:
        a, b, c = (float(part) for part in options[key].split(","))
    except ValueError:
        raise InvalidOption(f"{key} is {options[key]!r}; wanted three numbers with commas", field="backend") from None
    if not all(math.isfinite(value) for value in (a, b, c)):
        raise InvalidOption(f"{key} is {options[key]!r}; wanted finite numbers", field="backend")
    return a, b, c
