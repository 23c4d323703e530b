"""A backend's name as people write it, `kind:target?key=value&key=value`: read strictly, wrong options named.

>>> spec = BackendSpec.parse("onnx:/models/net.onnx?side=320&mean=0,0,0")
>>> spec.target, spec.number("side", 1024, 16, 4096), spec.triple("mean", (0.5, 0.5, 0.5))
('/models/net.onnx', 320, (0.0, 0.0, 0.0))
>>> spec.refuse_unknown("size", "mean")
Traceback (most recent call last):
services.common.errors.InvalidOption: onnx:/models/net.onnx has no option 'side'; the nearest is 'size'
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TypeAlias
from urllib.parse import parse_qsl

from services.common.errors import InvalidOption

Triple: TypeAlias = tuple[float, float, float]


@dataclass(frozen=True)
class BackendSpec:
    """Which backend, and how.

    Attributes:
        head: what stands before the question mark.
        options: what stands behind it; a key stands once.
        field: the setting that errors are blamed on.
    """

    head: str
    options: dict[str, str]
    field: str = "backend"

    @classmethod
    def parse(cls, name: str, field: str = "backend") -> BackendSpec:
        """Return what `name` says.

        Raises:
            InvalidOption: its options are not of the form key=value&key=value, or one stands twice.
        """
        head, _, query = name.partition("?")
        try:
            pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
        except ValueError:
            raise InvalidOption(
                f"the options of {name!r} are not of the form key=value&key=value", field=field
            ) from None
        options = dict(pairs)
        if len(options) < len(pairs):
            raise InvalidOption(f"an option stands twice in {name!r}", field=field)
        return cls(head, options, field)

    @property
    def kind(self) -> str:
        """What stands before the colon."""
        return self.head.partition(":")[0]

    @property
    def target(self) -> str:
        """What stands behind the colon: a model's name, or a file."""
        return self.head.partition(":")[2]

    def with_head(self, head: str) -> BackendSpec:
        """Return the same options behind another name."""
        return replace(self, head=head)

    def refuse_unknown(self, *known: str) -> None:
        """Raise InvalidOption for the first option that is not in `known`."""
        for key in self.options:
            if key not in known:
                near = get_close_matches(key, known, n=1, cutoff=0.0)
                hint = f"; the nearest is {near[0]!r}" if near else ""
                raise InvalidOption(f"{self.head} has no option {key!r}{hint}", field=self.field)

    def choice(self, key: str, known: Sequence[str], default: str) -> str:
        """Return an option that is one of `known`.

        Raises:
            InvalidOption: it is another one.
        """
        value = self.options.get(key, default)
        if value not in known:
            raise self._wrong(key, ", ".join(known))
        return value

    def number(self, key: str, default: int, low: int, high: int, multiple: int = 1) -> int:
        """Return a whole number from `low` to `high`, a multiple of `multiple`.

        Raises:
            InvalidOption: anything else.
        """
        if key not in self.options:
            return default
        text = self.options[key]
        value = int(text) if text.isascii() and text.isdigit() else low - 1
        if not low <= value <= high or value % multiple:
            raise self._wrong(key, f"{'' if multiple == 1 else f'a multiple of {multiple}, '}{low} to {high}")
        return value

    def triple(self, key: str, default: Triple, *, positive: bool = False) -> Triple:
        """Return three finite numbers with commas, one a colour channel.

        Raises:
            InvalidOption: anything else, or `positive` and one of them is not above 0.
        """
        if key not in self.options:
            return default
        try:
            a, b, c = (float(part) for part in self.options[key].split(","))
        except ValueError:
            raise self._wrong(key, "three numbers with commas") from None
        if not all(math.isfinite(value) for value in (a, b, c)):
            raise self._wrong(key, "finite numbers")
        if positive and min(a, b, c) <= 0:
            raise self._wrong(key, "values above 0")
        return a, b, c

    def _wrong(self, key: str, wanted: str) -> InvalidOption:
        return InvalidOption(f"{key} is {self.options.get(key)!r}; wanted {wanted}", field=self.field)
