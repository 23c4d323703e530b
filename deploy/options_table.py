"""`make docs`: docs/options.md from the groups of options, so that the table cannot differ from what the doors take."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import get_args

from pydantic.fields import FieldInfo

from deploy.checks.manifests import ROOT
from services.common.options import CutoutOptions, MaskOptions, MeshOptions
from services.common.options.base import Options
from services.common.options.declare import Door, Unit, default_words, mark, names
from services.common.options.doors import why_missing
from services.common.options.sentences import wanted

TARGET = ROOT / "docs/options.md"

_HEAD = """# Options of a request

Written by `make docs` from `services/common/options`; a test compares.

An option has one name, one range and one sentence of refusal at every door: gRPC, the Python client, HTTP forms (and
jobs), the WebSocket, the command line (`kernel_size` is `--kernel-size`) and the page. Where a door leaves one out, the
number behind it says why. `POST /remove-bg` and `/jobs/cutout` begin with `preset=fast` and `depth=off`.
"""
_COLUMNS = "| option | | wanted | unit | default | not at |\n|---|---|---|---|---|---|\n"
_GROUPS: tuple[tuple[type[Options], str], ...] = (
    (MaskOptions, "The mask"),
    (CutoutOptions, "The cutout"),
    (MeshOptions, "The mesh"),
)


def options_page() -> str:
    """Return the whole page."""
    reasons: list[str] = []
    tables = [f"\n## {title}\n\n{_COLUMNS}{''.join(_rows(kind, reasons))}" for kind, title in _GROUPS]
    told = "".join(f"{number}. {reason}\n" for number, reason in enumerate(reasons, 1))
    return f"{_HEAD}{''.join(tables)}\n## Why not\n\n{told}"


def _rows(kind: type[Options], reasons: list[str]) -> Iterator[str]:
    for name, field in kind.model_fields.items():
        unit = mark(field, Unit)
        known = ", ".join(f"`{alias}`" for alias in names(name, field))
        cells = (
            known,
            " ".join(str(field.description).split()),
            wanted(field),
            unit.name if unit else "",
            "" if field.default in ("", b"") else default_words(field),
            ", ".join(_missing(kind, field, reasons)),
        )
        yield f"| {' | '.join(cells)} |\n"


def _missing(kind: type[Options], field: FieldInfo, reasons: list[str]) -> Iterator[str]:
    for door in get_args(Door):
        if reason := why_missing(kind, field, door):
            if reason not in reasons:
                reasons.append(reason)
            yield f"{door} ({reasons.index(reason) + 1})"


def main() -> int:
    """Write the page anew and return the exit status."""
    TARGET.write_text(options_page(), encoding="utf-8")
    sys.stdout.write(f"{TARGET.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
