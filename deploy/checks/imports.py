"""Which libraries a service needs to start, held against its lock: what an image lacks is known before it is built.

Follows the imports at the top of modules from `services/<name>/__main__.py` on. Imports inside functions are optional
libraries by the project's rule, and are left out.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

_OWN = {"services", "unflat"}
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==", re.MULTILINE)


def locked(lock: Path) -> set[str]:
    """Return the normalised names of the distributions that a lock pins."""
    return {_normalise(name) for name in _PIN.findall(lock.read_text(encoding="utf-8"))}


def libraries_of(service: str, root: Path) -> dict[str, Path]:
    """Return the top-level library modules that `service` imports at its start, each with a file that does."""
    waiting, seen, found = [f"services.{service}.__main__"], set[str](), dict[str, Path]()
    while waiting:
        module = waiting.pop()
        file = _file_of(module, root)
        if module in seen or file is None:
            continue
        seen.add(module)
        for name in _imports(ast.parse(file.read_text(encoding="utf-8")).body):
            top = name.partition(".")[0]
            if top == "services":
                waiting += _with_parents(name)
            elif top not in _OWN and top not in sys.stdlib_module_names:
                found.setdefault(top, file)
    return found


def missing(service: str, root: Path, lock: Path, distributions: Mapping[str, Sequence[str]]) -> list[str]:
    """Return one sentence for each library that `service` imports and its lock has not.

    Args:
        service: name of the service.
        root: the repository.
        lock: the lock that its image installs.
        distributions: top-level module to the distributions that bring it, as `importlib.metadata` tells.
    """
    pinned = locked(lock)
    return [
        f"{file.relative_to(root)} imports {module}, which {lock.name} does not install"
        for module, file in sorted(libraries_of(service, root).items())
        if not pinned & {_normalise(name) for name in distributions.get(module, [module])}
    ]


def _imports(statements: Sequence[ast.stmt]) -> Iterator[str]:
    """Yield imported names, `from a import b` as a.b: b may be a module."""
    for statement in statements:
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom) and statement.module:
            yield from (f"{statement.module}.{alias.name}" for alias in statement.names)


def _with_parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(2, len(parts) + 1)]


def _file_of(module: str, root: Path) -> Path | None:
    path = root.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _normalise(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
