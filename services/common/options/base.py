"""A group of options: values that are checked once, when they are made, whoever made them."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo

from services.common.options.declare import NotAt, Spelled, choices, mark
from services.common.options.sentences import refusal


class Options(BaseModel):
    """A group of options. Texts are read as people write them: "Yes", "JPG", "depth-guided".

    Raises:
        InvalidOption: a name that nobody knows, or a value out of its range.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    not_at: ClassVar[tuple[NotAt, ...]] = ()
    """Doors that offer nothing of this group but what is declared `At` them."""

    def __init__(self, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as problem:
            raise refusal(problem, type(self).model_fields) from None

    @field_validator("*", mode="before")
    @classmethod
    def _read_text(cls, value: object, info: ValidationInfo) -> object:
        return _read(cls.model_fields[str(info.field_name)], value) if isinstance(value, str) else value


def _read(field: FieldInfo, text: str) -> Any:
    word = text.strip()
    plain = word.lower().replace("_", "-")
    spelled = mark(field, Spelled)
    known = {choice.replace("_", "-"): choice for choice in choices(field)} | dict(spelled.words if spelled else {})
    return known.get(plain, word)
