"""What all routes share: the settings, the way to the orchestrator, what bounds the work, the jobs, the receipts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from services.common.serving.admission import AioAdmission
from services.gateway.jobs.job_repository import JobRepository
from services.gateway.jobs.job_runner import JobRunner
from services.gateway.orchestrator import Orchestrator
from services.gateway.settings import GatewaySettings
from services.gateway.status_cache import StatusCache
from services.gateway.storage.receipt_repository import ReceiptRepository
from services.gateway.storage.store import Store

Fetch: TypeAlias = Callable[[str], Awaitable[bytes]]
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
    admission: AioAdmission
    status: StatusCache
    store: Store
    receipts: ReceiptRepository
    jobs: JobRepository
    runner: JobRunner
    draining: Draining = field(default_factory=Draining)
