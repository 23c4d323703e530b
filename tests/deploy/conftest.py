"""The base's manifests as kustomize would make them, as far as the checks look: no kubectl is needed here."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / "deploy/k8s/base"


def _load(folder: Path) -> list[dict[str, Any]]:
    files = (f for f in sorted(folder.rglob("*.yaml")) if f.name != "kustomization.yaml")
    return [manifest for file in files for manifest in yaml.safe_load_all(file.read_text(encoding="utf-8"))]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def _base() -> list[dict[str, Any]]:
    kustomization = yaml.safe_load((BASE / "kustomization.yaml").read_text(encoding="utf-8"))
    generator = kustomization["configMapGenerator"][0]
    data = dict(literal.split("=", 1) for literal in generator["literals"])
    tags = {image["name"]: image["newTag"] for image in kustomization["images"]}
    manifests = [*_load(BASE), {"kind": "ConfigMap", "metadata": {"name": generator["name"]}, "data": data}]
    for manifest in manifests:
        if manifest["kind"] == "Deployment":
            container = manifest["spec"]["template"]["spec"]["containers"][0]
            container["image"] = f"{container['image']}:{tags[container['image']]}"
    return manifests


@pytest.fixture
def base(_base: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A copy of the base that a test may spoil."""
    return copy.deepcopy(_base)


@pytest.fixture
def policies() -> list[dict[str, Any]]:
    return _load(ROOT / "deploy/k8s/components/network-policies")


@pytest.fixture
def container(base: list[dict[str, Any]]) -> Callable[[str], dict[str, Any]]:
    """Returns the container of a service in `base`, to look at or to spoil."""

    def find(name: str) -> dict[str, Any]:
        for manifest in base:
            if manifest["kind"] == "Deployment" and manifest["metadata"]["name"] == name:
                found: dict[str, Any] = manifest["spec"]["template"]["spec"]["containers"][0]
                return found
        raise AssertionError(f"no Deployment {name}")

    return find
