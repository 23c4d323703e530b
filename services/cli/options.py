"""The command line's options: those of a request as `services.common.options` states them, and what is shared beside.

    @takes_options
    def cutout(photos: Inputs, mask_options: MaskOptions, depth: DepthOption = "on") -> None: ...

The command gets one option for each of the group; one that it has as a parameter of its own (`depth`) it reads itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer
from pydantic.fields import FieldInfo

from services.common.errors import InvalidOption
from services.common.options import MaskOptions
from services.common.options.base import Options
from services.common.options.declare import Spelled, choices, default_words, limits, mark, value_type
from services.common.options.doors import offered

Inputs = Annotated[list[Path], typer.Argument(help="Photos, or folders of photos.", show_default=False)]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")]
DepthOption = Annotated[str, typer.Option(help="on, off, or a FILE (NPY, NPZ or 16-bit picture, larger is nearer).")]
MaskOption = Annotated[
    Path | None, typer.Option(help="A mask (picture, NPY or NPZ, white is subject) instead of segmentation.")
]
DebugOption = Annotated[Path | None, typer.Option(help="Folder for pictures of every step between.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One receipt a line on stdout, nothing else.")]
ServerOption = Annotated[
    str | None, typer.Option(help="HOST:PORT of a running orchestrator; without it, services are started.")
]
TimeoutOption = Annotated[float, typer.Option(min=1.0, help="Seconds for each photo.")]


def takes_options(command: Callable[..., None]) -> Callable[..., None]:
    """Return `command` with one parameter for each option in place of those that are groups of options.

    Raises:
        InvalidOption: when called: a value out of its range.
    """
    hints = get_type_hints(command, include_extras=True)
    groups = {name: kind for name, kind in hints.items() if isinstance(kind, type) and issubclass(kind, Options)}
    own = set(signature(command).parameters)
    fields = {
        group: {name: field for name, field in offered(kind, "CLI").items() if name not in own}
        for group, kind in groups.items()
    }

    @wraps(command)
    def run(**given: Any) -> None:
        for group, kind in groups.items():
            asked = {name: given.pop(name) for name in fields[group]}
            given[group] = kind(**{name: value for name, value in asked.items() if value is not None})
        command(**given)

    def parameters() -> Iterator[Parameter]:
        for parameter in signature(command).parameters.values():
            if parameter.name not in groups:
                yield parameter.replace(annotation=hints[parameter.name], kind=Parameter.KEYWORD_ONLY)
            for name, field in fields.get(parameter.name, {}).items():
                yield Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=_annotation(field))

    listed = list(parameters())
    run.__signature__ = Signature(listed)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in listed}
    return run


def with_files(asked: MaskOptions, depth: str, mask: Path | None) -> MaskOptions:
    """Return the options with what `--depth` and `--mask` say; files named in them are read.

    Raises:
        InvalidOption: a file that cannot be read.
    """
    supplied = {
        "depth": depth != "off",
        "depth_map": b"" if depth in ("on", "off") else _read(Path(depth), "--depth"),
        "mask": b"" if mask is None else _read(mask, "--mask"),
    }
    return asked.model_copy(update=supplied)


def files_read(depth: str, mask: Path | None) -> list[Path]:
    """Return the files that these options name: they are inputs, never to be written over."""
    return [*([] if depth in ("on", "off") else [Path(depth)]), *([] if mask is None else [mask])]


def _annotation(field: FieldInfo) -> Any:
    default = default_words(field) or False
    if value_type(field) is bool:
        return Annotated[bool | None, typer.Option(help=field.description, show_default=default)]
    return Annotated[str | None, typer.Option(help=field.description, show_default=default, metavar=_metavar(field))]


def _metavar(field: FieldInfo) -> str:
    """Return what the help shows for a value: its choices, its range, or the name of its type."""
    spelled, (low, high) = mark(field, Spelled), limits(field)
    if words := choices(field):
        return f"[{'|'.join(words)}]"
    if low is None:
        return "TEXT"
    return "|".join([f"{low:g}..{high:g}", *(spelled.words if spelled else ())])


def _read(path: Path, option: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise InvalidOption(f"{option} {path} cannot be read: {problem.strerror}") from None
