"""What an option's declaration may say beside its type, range and default.

    kernel_size: Annotated[int | None, Field(ge=3, le=7), Odd, Unit("px"), Unset("by preset")] = None

Everything else about an option is asked of its pydantic field by the functions here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any, Literal, TypeAlias, TypeVar, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import AfterValidator, AliasChoices
from pydantic.fields import FieldInfo

Door: TypeAlias = Literal["gRPC", "Python", "HTTP", "WebSocket", "CLI", "page"]
"""Where options come in."""

M = TypeVar("M")


@dataclass(frozen=True)
class Unit:
    """The unit of a number."""

    name: str


@dataclass(frozen=True)
class Unset:
    """What happens where the option is None."""

    says: str


@dataclass(frozen=True)
class Spelled:
    """Words that stand for a value, beside the value's own."""

    words: Mapping[str, Any]


@dataclass(frozen=True)
class Wanted:
    """What a value may be, in words, where type and range do not say it."""

    says: str


@dataclass(frozen=True)
class At:
    """A door that offers this option, against the rule of its group."""

    door: Door


@dataclass(frozen=True)
class NotAt:
    """A door that does not offer this option (or, beside a group, any of it), and why."""

    door: Door
    reason: str


def _refuse_even(value: int | None) -> int | None:
    if value is not None and value % 2 == 0:
        raise ValueError
    return value


Odd = AfterValidator(_refuse_even)


def mark(field: FieldInfo, kind: type[M]) -> M | None:
    """Return what the declaration says of this kind, or None."""
    return next((found for found in field.metadata if isinstance(found, kind)), None)


def value_type(field: FieldInfo) -> Any:
    """Return the option's type, without the None that leaves it open."""
    kinds = [kind for kind in get_args(field.annotation) if kind is not NoneType]
    return kinds[0] if NoneType in get_args(field.annotation) else field.annotation


def choices(field: FieldInfo) -> tuple[str, ...]:
    """Return the words to choose among; none where the option is no choice."""
    kind = value_type(field)
    return get_args(kind) if get_origin(kind) is Literal else ()


def limits(field: FieldInfo) -> tuple[Any, Any]:
    """Return the least and the largest value of a number; None, None for what is none."""
    low, high = mark(field, Ge), mark(field, Le)
    return (low and low.ge), (high and high.le)


def default_words(field: FieldInfo) -> str:
    """Return the default as people read it."""
    if unset := mark(field, Unset):
        return unset.says
    return {True: "on", False: "off"}[field.default] if isinstance(field.default, bool) else str(field.default)


def is_file(field: FieldInfo) -> bool:
    """Tell whether this is a file that comes beside the options, which each door takes in its own way."""
    return value_type(field) is bytes


def names(name: str, field: FieldInfo) -> tuple[str, ...]:
    """Return the names that an option goes by, its own first."""
    alias = field.validation_alias
    return tuple(map(str, alias.choices)) if isinstance(alias, AliasChoices) else (name,)
