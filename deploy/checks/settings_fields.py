"""The settings that each service reads, found in its source: importing a service would need all its libraries."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cache
from pathlib import Path

SERVICES = ("segmentation", "depth", "mesher", "orchestrator", "gateway")
Fields = Mapping[str, object]  # name to default; None where the default is computed

_PREFIX = "UNFLAT_"


@cache
def settings_of(service: str, root: Path) -> Fields:
    """Return the settings fields of `service`, inherited ones too.

    Raises:
        LookupError: the service has no settings class.
    """
    common = _classes((root / "services/common/settings.py",))
    own = _classes(tuple(sorted((root / "services" / service).rglob("*.py"))))
    chosen = [name for name, node in own.items() if name.endswith("Settings") and _bases(node) & set(common)]
    if not chosen:
        raise LookupError(f"services/{service} has no settings class")
    return _fields(chosen[0], {**common, **own})


def field_of(variable: str, service: str, fields: Fields) -> str | None:
    """Return the field that an environment variable sets in `service`, or None if it sets none."""
    for prefix in (f"{_PREFIX}{service.upper()}_", _PREFIX):
        name = variable.removeprefix(prefix).lower()
        if variable.startswith(prefix) and name in fields:
            return name
    return None


def _classes(paths: tuple[Path, ...]) -> dict[str, ast.ClassDef]:
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in paths]
    return {node.name: node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)}


def _bases(node: ast.ClassDef) -> set[str]:
    return {base.id for base in node.bases if isinstance(base, ast.Name)}


def _fields(name: str, classes: Mapping[str, ast.ClassDef]) -> dict[str, object]:
    node = classes.get(name)
    if node is None:  # a class of a library
        return {}
    fields: dict[str, object] = {}
    for base in _bases(node):
        fields |= _fields(base, classes)
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            fields[statement.target.id] = _default(statement.value)
    return fields


def _default(value: ast.expr | None) -> object:
    if isinstance(value, ast.Call):  # Field(default=…)
        value = next((keyword.value for keyword in value.keywords if keyword.arg == "default"), None)
    return value.value if isinstance(value, ast.Constant) else None
