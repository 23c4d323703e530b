"""What is said of a value that an option cannot take: the same sentence at every door.

erode_size is 3000; wanted a whole number of 0 to 255
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from typing import Any

from annotated_types import MaxLen
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from services.common.errors import InvalidOption
from services.common.options.declare import Odd, Spelled, Wanted, choices, limits, mark, names, value_type

_MOST_TOLD = 5
_LONGEST_SHOWN = 40


def refusal(problem: ValidationError, fields: Mapping[str, FieldInfo]) -> InvalidOption:
    """Return pydantic's finding as one of our errors, on the first option at fault.

    Args:
        problem: as pydantic found it.
        fields: the options of the group, by name.
    """
    by_name = {alias: field for name, field in fields.items() for alias in names(name, field)}
    told: dict[str, str] = {}
    for found in problem.errors(include_url=False, include_context=False):
        name = str(found["loc"][0])
        if name not in by_name:
            told[name] = unknown(name, by_name).message
        else:
            told.setdefault(name, f"{name} is {_shown(found['input'])}; wanted {wanted(by_name[name])}")
    return InvalidOption(". Also, ".join(list(told.values())[:_MOST_TOLD]), field=next(iter(told)))


def unknown(name: str, known: Iterable[str]) -> InvalidOption:
    """Return the error for an option that nobody knows."""
    near = difflib.get_close_matches(name, known, 3)
    hint = f"did you mean {' or '.join(near)}?" if near else "docs/options.md lists what there is"
    return InvalidOption(f"{name[:_LONGEST_SHOWN]} is not an option here; {hint}", field=name)


def wanted(field: FieldInfo) -> str:
    """Return what a value of the option may be: "a whole number of 0 to 255"."""
    spelled = mark(field, Spelled)
    unset = [word for word, value in spelled.words.items() if value is None][:1] if spelled else []
    return ", or ".join([_wanted(field), *unset])


def _wanted(field: FieldInfo) -> str:
    kind, said, longest = value_type(field), mark(field, Wanted), mark(field, MaxLen)
    if said is not None:
        return said.says
    if words := choices(field):
        return f"one of {', '.join(words)}"
    if kind is bool:
        return "on or off"
    if kind is bytes:
        return "a file"
    if longest is not None:
        return f"a text of at most {longest.max_length} characters"
    article = "a number" if kind is float else "an odd number" if Odd in field.metadata else "a whole number"
    low, high = limits(field)
    return f"{article} of {_plain(low)} to {_plain(high)}"


def _shown(value: Any) -> str:
    """Return the value as it was given; a text that is a number looks like one."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return repr(value[:_LONGEST_SHOWN])
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _plain(value).replace(",", "")
    shown = "on" if value is True else "off" if value is False else repr(value)
    return shown[:_LONGEST_SHOWN]


def _plain(number: float) -> str:
    if not math.isfinite(number):
        return str(number)
    return f"{int(number):,}" if number == int(number) else f"{number:.10g}"
