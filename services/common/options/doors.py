"""Which door offers which option: all of them, unless the declaration says why not."""

from __future__ import annotations

from pydantic.fields import FieldInfo

from services.common.options.base import Options
from services.common.options.declare import At, Door, NotAt


def offered(kind: type[Options], door: Door) -> dict[str, FieldInfo]:
    """Return the options of a group that come in at a door, by name."""
    return {name: field for name, field in kind.model_fields.items() if not why_missing(kind, field, door)}


def why_missing(kind: type[Options], field: FieldInfo, door: Door) -> str:
    """Return why a door does not offer an option, or an empty string where it does."""
    if any(isinstance(found, At) and found.door == door for found in field.metadata):
        return ""
    own = (found for found in field.metadata if isinstance(found, NotAt))
    return next((found.reason for found in (*own, *kind.not_at) if found.door == door), "")
