"""Manifests held against schemas: Kubernetes' own, of every promised version, and ours for custom resources."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from deploy.checks.manifests import Manifest

VERSIONS = ("1.30", "1.31", "1.32", "1.33", "1.34", "1.35", "1.36", "1.37")


def problems(manifest: Manifest, versions: Sequence[str], folder: Path) -> list[str]:
    """Return one sentence for each version whose schema `manifest` does not fit.

    Args:
        manifest: one object.
        versions: of Kubernetes.
        folder: our schemas of custom resources, by kind.
    """
    name = f"{manifest['kind']} {manifest['metadata']['name']}"
    own = _own_schemas(folder).get((manifest["apiVersion"], manifest["kind"]))
    if own is not None:
        return [f"{name}: {said}" for said in _own_problems(manifest, own)]
    said_by: dict[str, list[str]] = {}
    for version in versions:
        said = _validate(manifest, version)
        if said:
            said_by.setdefault(said, []).append(version)
    return [f"{name}, Kubernetes {', '.join(which)}: {said}" for said, which in said_by.items()]


@cache
def _own_schemas(folder: Path) -> dict[tuple[str, str], Any]:
    read = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))]
    return {(s["properties"]["apiVersion"]["const"], s["properties"]["kind"]["const"]): s for s in read}


def _own_problems(manifest: Manifest, schema: Any) -> list[str]:
    import jsonschema

    found = jsonschema.Draft202012Validator(schema).iter_errors(manifest)
    return [f"{'.'.join(map(str, problem.path))}: {problem.message}" for problem in found]


def _validate(manifest: Manifest, version: str) -> str:
    import kubernetes_validate

    try:
        used = kubernetes_validate.validate(manifest, version, strict=True)
    except kubernetes_validate.ValidationError as problem:
        return f"{'.'.join(map(str, problem.path))}: {problem.message}"
    except kubernetes_validate.SchemaNotFoundError:
        return f"no schema knows {manifest['apiVersion']} {manifest['kind']}"
    return "" if used == version else f"there is no schema of that version, only of {used}"
