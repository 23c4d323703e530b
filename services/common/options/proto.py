"""Options to messages and back, by the names of their fields.

An enumeration's words are its values' names without the prefix (STRATEGY_DEPTH_GUIDED is "depth_guided"). A message of
options inside another (MaskOptions.segmentation) is filled from, and fills, the same group.
"""

from __future__ import annotations

from typing import Any, TypeVar

from google.protobuf.message import Message

from services.common.options.base import Options

M = TypeVar("M", bound=Message)
O = TypeVar("O", bound=Options)  # noqa: E741 - options


def to_proto(options: Options, kind: type[M]) -> M:
    """Return the message of kind `kind` with everything of `options` that it has a field for."""
    return kind(**_to_fields(options, kind.DESCRIPTOR))


def from_proto(kind: type[O], message: Message) -> O:
    """Return the options that a message asks for; what it leaves unset has its default.

    Raises:
        InvalidOption: a value out of its range, or one that this version does not know.
    """
    return kind(**_from_fields(kind, message))


def enum_word(enum: Any, number: int) -> str:
    """Return the plain word of an enumeration's value: MESH_FORMAT_GLB is "glb"."""
    return str(enum.values_by_number[number].name).removeprefix(_prefix(enum)).lower()


def enum_name(enum: Any, word: str) -> str:
    """Return the name of the value that a word stands for; messages take names for values."""
    return _prefix(enum) + word.upper().replace("-", "_")


def _to_fields(options: Options, descriptor: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for field in descriptor.fields:
        value = getattr(options, field.name, None)
        if field.message_type is not None:
            fields[field.name] = _to_fields(options, field.message_type)
        elif value is not None:
            fields[field.name] = enum_name(field.enum_type, value) if field.enum_type else value
    return fields


def _from_fields(kind: type[Options], message: Message) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        if field.message_type is not None and field.message_type.name.endswith("Options"):
            fields |= _from_fields(kind, getattr(message, field.name))
        elif field.name in kind.model_fields and _is_set(message, field):
            fields[field.name] = _plain(field, getattr(message, field.name))
    return fields


def _is_set(message: Message, field: Any) -> bool:
    return message.HasField(field.name) if field.has_presence else bool(getattr(message, field.name))


def _plain(field: Any, value: Any) -> Any:
    """Return the value as a group of options takes it; a number that no word stands for stays one, to be refused."""
    if field.is_repeated:
        return tuple(value)
    is_known = field.enum_type is not None and value in field.enum_type.values_by_number
    return enum_word(field.enum_type, value) if is_known else value


def _prefix(enum: Any) -> str:
    return str(enum.values_by_number[0].name).removesuffix("UNSPECIFIED")
