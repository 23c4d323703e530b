"""What all routes share: the settings, the way to the orchestrator, the threads, the jobs, the receipts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from services.gateway.job_book import JobBook
from services.gateway.job_runner import JobRunner
from services.gateway.orchestrator import Orchestrator
from services.gateway.receipts_book import ReceiptsBook
from services.gateway.settings import GatewaySettings
from services.gateway.status_board import StatusBoard
from services.gateway.store import Store
from services.gateway.work import WorkPool

Fetch: TypeAlias = Callable[[str], bytes]
"""Returns the bytes behind a URL; raises errors of `services.common.errors`."""


@dataclass
class Draining:
    """Whether the process is on its way out; /readyz says so before connections are refused."""

    on: bool = False


@dataclass(frozen=True)
class Gateway:
    """One gateway process."""

    settings: GatewaySettings
    client: Orchestrator
    fetch: Fetch
    pool: WorkPool
    board: StatusBoard
    store: Store
    receipts: ReceiptsBook
    book: JobBook
    jobs: JobRunner
    draining: Draining = field(default_factory=Draining)
