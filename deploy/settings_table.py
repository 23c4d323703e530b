"""`make docs`: docs/settings.md from the settings objects, so that the table cannot differ from what services read."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from deploy.checks.manifests import ROOT
from services.common.environment import SERVICES, env_prefix, settings_class
from services.common.settings import ProcessSettings, RpcSettings, StageSettings

TARGET = ROOT / "docs/settings.md"

_HEAD = """# Settings

Written by `make docs` from the `settings.py` of each service; a test compares.

A flag goes before a variable, a variable before the default. `UNFLAT_<SERVICE>_<NAME>` (`UNFLAT_DEPTH_THREADS`) sets
one service and goes before `UNFLAT_<NAME>`, which sets every service that has the setting: one environment serves all
processes. A value outside its range ends the process at its start with a sentence; a variable `UNFLAT_…` that sets
nothing anywhere is told on stderr, with the near ones.
"""
_COLUMNS = "\n| flag | variable | default | range | |\n|---|---|---|---|---|\n"
_SHARED: tuple[tuple[type[ProcessSettings], str], ...] = (
    (ProcessSettings, "Every service"),
    (RpcSettings, "Every gRPC service: segmentation, depth, mesher, orchestrator"),
    (StageSettings, "Every stage: segmentation, depth, mesher"),
)


def settings_page() -> str:
    """Return the whole page."""
    shared = [_section(title, kind, "UNFLAT_") for kind, title in _SHARED]
    own = [_section(f"`unflat-{service}`", settings_class(service), env_prefix(service)) for service in SERVICES]
    return "".join((_HEAD, *shared, *own))


def _section(title: str, kind: type[ProcessSettings], prefix: str) -> str:
    return f"\n## {title}\n{_COLUMNS}{''.join(_rows(kind, prefix))}"


def _rows(kind: type[ProcessSettings], prefix: str) -> Iterator[str]:
    """Yield the settings that a class itself adds or changes."""
    for name in kind.__annotations__:
        field = kind.model_fields.get(name)
        if field is not None:
            said = " ".join((field.description or "").split()).replace("|", "\\|").replace("<", "&lt;")
            flag = f"`--{name.replace('_', '-')}`"
            yield f"| {flag} | `{prefix}{name.upper()}` | {_default(field)} | {_range(field)} | {said} |\n"


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:  # the one there is: the model store
        return "in the user's cache"
    value = field.default.get_secret_value() if hasattr(field.default, "get_secret_value") else field.default
    if value is None or value == "":
        return ""
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _range(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return ", ".join(get_args(field.annotation))
    if field.annotation is bool:
        return "true, false"
    bounds = {key: _bound(field.metadata, key) for key in ("ge", "gt", "le", "lt")}
    least = f"{bounds['ge']}" if bounds["ge"] else f"above {bounds['gt']}" if bounds["gt"] else ""
    return f"{least} to {bounds['le']}" if least and bounds["le"] else f"{least} or more" if bounds["ge"] else least


def _bound(metadata: Iterable[Any], key: str) -> str:
    return next((f"{getattr(one, key)}" for one in metadata if hasattr(one, key)), "")


def main() -> int:
    """Write the page anew and return the exit status."""
    TARGET.write_text(settings_page(), encoding="utf-8")
    sys.stdout.write(f"{TARGET.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
