"""Form fields to options: one field for each option, under its own name, as `services.common.options` states it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import Parameter, Signature
from typing import Annotated, Any, TypeVar, get_args

from fastapi import Form
from pydantic import WithJsonSchema

from services.common.choices import ImageFormat
from services.common.options.base import Options
from services.common.options.declare import is_file, names
from services.common.options.doors import offered

O = TypeVar("O", bound=Options)  # noqa: E741 - options


def form_of(kind: type[O], **defaults: Any) -> Callable[..., O]:
    """Return a dependency that reads a group of options from a form; files come in parts of their own.

    Args:
        kind: the group.
        defaults: of one route, where they are others than the group's.

    Raises:
        InvalidOption: by the dependency: a value out of its range.
    """
    fields = {name: names(name, field) for name, field in offered(kind, "HTTP").items() if not is_file(field)}

    def read(**given: str | None) -> O:
        asked = dict(defaults)
        for name, known in fields.items():
            for alias in known:
                if given[alias] is not None:  # a field's own name goes before its other one
                    asked.pop(name, None)
                    asked[alias] = given[alias]
                    break
        return kind(**asked)

    schemas = kind.model_json_schema(by_alias=False)["properties"]
    shown = kind(**defaults).model_dump()
    read.__signature__ = Signature(  # type: ignore[attr-defined]
        [
            Parameter(alias, Parameter.KEYWORD_ONLY, default=None, annotation=_field(schemas[name], shown[name]))
            for name, known in fields.items()
            for alias in known
        ]
    )
    return read


def accepted_format(accept: str) -> ImageFormat:
    """Return the picture format an Accept header likes best; PNG where it has no opinion or names none of ours."""
    best: ImageFormat = "png"
    best_weight = 0.0
    for entry in accept.split(","):
        media_type, _, parameters = entry.partition(";")
        media_type = media_type.strip().lower()
        name = "png" if media_type in ("*/*", "image/*") else media_type.removeprefix("image/")
        for known in get_args(ImageFormat):
            weight = _weight(parameters)
            if name == known and weight > best_weight:
                best, best_weight = known, weight
    return best


def _weight(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0


def _field(schema: Mapping[str, Any], default: Any) -> Any:
    """Return the annotation of a form field: any text, for the group reads it; described as the group describes it."""
    shown = next(kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null")
    told = Form(description=schema["description"], json_schema_extra=None if default is None else {"default": default})
    return Annotated[str | None, WithJsonSchema(dict(shown)), told]
