"""A client of the services: of running ones, or of ones started here for the length of one command."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from rich.console import Console

from services.cli.local_services import LocalServices
from services.common.client import Client
from services.common.serving.priority import Priority
from services.common.tls import environment_identity


@contextmanager
def connect(
    server: str | None, timeout_s: float, console: Console, priority: Priority = "interactive"
) -> Iterator[Client]:
    """Yield a client of `server`, or of services that are started here and stopped at the end."""
    with ExitStack() as cleanup:
        address = server
        if address is None:
            with console.status("starting the services"):
                address = cleanup.enter_context(LocalServices()).address
        yield cleanup.enter_context(Client(address, timeout_s, environment_identity(os.environ), priority))
