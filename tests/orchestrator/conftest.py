"""One pipeline over stand-ins for each test."""

from __future__ import annotations

import pytest

from tests.orchestrator.stand_ins import Bench


@pytest.fixture
def bench() -> Bench:
    """A pipeline whose stages do what the test tells them."""
    return Bench()
