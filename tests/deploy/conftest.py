"""The base as kustomize makes it, for tests to spoil."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from deploy.k8s import check

Manifests = list[dict[str, Any]]


@pytest.fixture(scope="session")
def kubectl() -> str:
    found = check.find_kubectl()
    assert found, "kubectl comes with make install"
    return found


@pytest.fixture(scope="session")
def built(kubectl: str) -> Callable[..., Manifests]:
    """Returns a copy of the base with components, that a test may spoil."""
    kept: dict[tuple[str, ...], Any] = {}

    def make(*components: str) -> Manifests:
        if components not in kept:
            kept[components] = check.build(kubectl, ("base", *components))
        return copy.deepcopy(kept[components])

    return make


@pytest.fixture
def base(built: Callable[..., Manifests]) -> Manifests:
    return built()


@pytest.fixture
def find() -> Callable[..., dict[str, Any]]:
    """Returns one manifest of a build by its kind and name."""
    return lambda manifests, kind, name: next(
        m for m in manifests if m["kind"] == kind and m["metadata"]["name"] == name
    )


@pytest.fixture
def container(base: Manifests, find: Callable[..., Any]) -> Callable[[str], dict[str, Any]]:
    """Returns the container of a service in `base`, to look at or to spoil."""
    return lambda name: find(base, "Deployment", name)["spec"]["template"]["spec"]["containers"][0]
