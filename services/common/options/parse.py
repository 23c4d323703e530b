"""Options by name, shared out among their groups; and what an algorithm takes of a group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from services.common.options.base import Options
from services.common.options.declare import Door
from services.common.options.doors import offered
from services.common.options.sentences import unknown

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

A = TypeVar("A", bound=Options)
B = TypeVar("B", bound=Options)
D = TypeVar("D", bound="DataclassInstance")


def parse_options(given: Mapping[str, Any], door: Door, first: type[A], second: type[B]) -> tuple[A, B]:
    """Return two groups of options from one set of named values; what is left out has its default.

    Raises:
        InvalidOption: a name that the door does not offer in either group, or a value out of its range.
    """
    ours, theirs = offered(first, door), offered(second, door)
    for name in given:
        if name not in ours | theirs:
            raise unknown(name, ours | theirs)
    one = first(**{name: value for name, value in given.items() if name in ours})
    other = second(**{name: value for name, value in given.items() if name in theirs})
    return one, other


def fill(base: D, options: Options) -> D:
    """Return an algorithm's own options with everything that is asked for under the same name.

    Args:
        base: a dataclass; where an option is None or there is none of the name, its value stays.
        options: what is asked for.
    """
    asked = {field.name: getattr(options, field.name, None) for field in fields(base)}
    return replace(base, **{name: value for name, value in asked.items() if value is not None})
