"""Manifests as one build has them, and what the code says that they must agree with: settings, ports, protos.

A build is the list of objects that `kubectl kustomize` writes, each as parsed YAML.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from services.common.environment import field_of, settings_class
from services.common.settings import ProcessSettings

ROOT = Path(__file__).resolve().parents[2]

Manifest = Mapping[str, Any]

_ADDRESS = re.compile(r"(?:dns:///|redis://:\$\(\w+\)@)([a-z0-9-]+):(\d+)(?:/\d+)?")


def of_kind(kind: str, manifests: Sequence[Manifest]) -> dict[str, Manifest]:
    """Return the manifests of one kind by name."""
    return {m["metadata"]["name"]: m for m in manifests if m["kind"] == kind}


def pod_of(workload: Manifest) -> Manifest:
    """Return the pod spec of a Deployment or StatefulSet."""
    pod: Manifest = workload["spec"]["template"]["spec"]
    return pod


def container_of(workload: Manifest) -> Manifest:
    """Return the container of a Deployment that serves."""
    container: Manifest = pod_of(workload)["containers"][0]
    return container


def variables_of(workload: Manifest, manifests: Sequence[Manifest]) -> dict[str, str]:
    """Return the environment of the serving container, ConfigMaps first; what the cluster fills in stands as ""."""
    maps, container = of_kind("ConfigMap", manifests), container_of(workload)
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        found |= maps[source["configMapRef"]["name"]]["data"]
    return found | {entry["name"]: entry.get("value", "") for entry in container.get("env", [])}


def addresses_of(workload: Manifest, manifests: Sequence[Manifest]) -> dict[str, tuple[str, int]]:
    """Return which service and port each variable names, by gRPC's or Redis's form of address."""
    matches = {name: _ADDRESS.fullmatch(value) for name, value in variables_of(workload, manifests).items()}
    return {name: (match.group(1), int(match.group(2))) for name, match in matches.items() if match}


def settings_of(name: str, manifests: Sequence[Manifest]) -> ProcessSettings:
    """Return the settings of a service as one build gives them: its variables over its defaults.

    Raises:
        pydantic.ValidationError: a variable has a value that the service refuses.
    """
    variables = variables_of(of_kind("Deployment", manifests)[name], manifests)
    fields = {field_of(variable, name): value for variable, value in variables.items()}
    return settings_class(name).model_validate({field: value for field, value in fields.items() if field and value})


@cache
def image_variables(target: str) -> dict[str, str]:
    """Return the UNFLAT_ variables that an image sets: its target in the Dockerfile, and what that is made from."""
    _, *parts = re.split(r"^FROM (\S+)(?: AS (\S+))?$", (ROOT / "deploy/Dockerfile").read_text("utf-8"), flags=re.M)
    stages = {name: (base, body) for base, name, body in zip(*[iter(parts)] * 3, strict=True)}
    if target not in stages:
        return {}
    base, body = stages[target]
    return image_variables(base) | dict(re.findall(r"\b(UNFLAT_\w+)=(\S+)", body))


@cache
def grpc_services() -> frozenset[str]:
    """Return the full names of all services of the protos, from the generated code."""
    package = importlib.import_module("unflat.v1")
    modules = [m.name for m in pkgutil.iter_modules(package.__path__) if m.name.endswith("_pb2")]
    descriptors = [importlib.import_module(f"unflat.v1.{name}").DESCRIPTOR for name in modules]
    return frozenset(s.full_name for d in descriptors for s in d.services_by_name.values())
