"""The fake orchestrators of these tests take what the real client takes."""

from __future__ import annotations

import inspect

import pytest

from services.common.client import AsyncClient
from services.gateway.orchestrator import Orchestrator
from tests.gateway.conftest import FakeOrchestrator
from tests.gateway.page.conftest import DirectedOrchestrator

METHODS = [name for name in vars(Orchestrator) if not name.startswith("_")]


def parameters(kind, name):
    return {key: (one.kind, one.default) for key, one in inspect.signature(getattr(kind, name)).parameters.items()}


@pytest.mark.parametrize("kind", [Orchestrator, FakeOrchestrator, DirectedOrchestrator])
def test_every_method_has_the_parameters_of_the_client(kind):
    assert METHODS == ["stream_cutout", "stream_mesh", "status"]
    for name in METHODS:
        assert parameters(kind, name) == parameters(AsyncClient, name), name
