"""Settings of the gateway."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr

from services.common.calling.channels import DEFAULT_TIMEOUT_S
from services.common.settings import ProcessSettings


class GatewaySettings(ProcessSettings):
    """Settings of the gateway."""

    metrics_port: int = Field(default=-1, ge=-1, le=65535)
    """A metrics port beside /metrics, for scrapers without the token; 0 takes a free one, -1 none."""
    port: int = Field(default=8000, ge=0, le=65535)
    """HTTP port; 0 takes a free one."""
    address_file: Path | None = None
    """File to write the bound address to (JSON), once it is known."""
    orchestrator_address: str = "127.0.0.1:50050"
    """host:port, or dns:///name:port for several replicas."""
    timeout_s: float = Field(default=DEFAULT_TIMEOUT_S, gt=0)
    """Deadline of each request to the orchestrator."""
    max_upload_mb: int = Field(default=64, ge=1, le=480)
    """Larger bodies are refused before they are read, in MiB."""
    upload_timeout_s: float = Field(default=300.0, gt=0)
    """Longest time for a body to arrive."""
    token: SecretStr = SecretStr("")
    """Wanted as `Authorization: Bearer …` of all but probes and docs; several by commas; empty asks for none."""
    rate: str = ""
    """Photos that each client (token, else address) may send, e.g. 60/minute or 5/second;1000/day; empty: no limit."""
    trusted_proxies: str = ""
    """Proxies (addresses, networks, by commas; *: all) whose X-Forwarded-For says who the client is; empty: none."""
    cors_origins: str = ""
    """Origins that browsers may call from, separated by commas; empty: none, *: all."""
    url_fetch: bool = False
    """Whether GET /api/remove?url= may fetch pictures from public addresses."""
    fetch_timeout_s: float = Field(default=20.0, gt=0)
    """Longest time for such a fetch, redirects included."""
    concurrency: int = Field(default=8, ge=1, le=256)
    """Requests and jobs that are with the orchestrator at the same time."""
    queue: int = Field(default=32, ge=0, le=10_000)
    """Requests that may wait for that; beyond it 429 at once."""
    store: SecretStr = SecretStr("memory")
    """Where jobs and receipts live: memory, or redis://host:port/0 (rediss://, unix://) for several gateways."""
    store_mb: int = Field(default=256, ge=1, le=1 << 20)
    """Bound of the store in memory, in MiB: beyond it the least recently used leave. Redis has its own (maxmemory)."""
    receipt_ttl_s: float = Field(default=3600.0, gt=0)
    """How long receipts are kept for GET /receipts/{id}."""
    job_ttl_s: float = Field(default=1800.0, gt=0)
    """How long a job and its result are kept after its last change."""
    heartbeat_s: float = Field(default=10.0, gt=0)
    """Between the signs of life on a stream of events where nothing happens."""
    drain_s: float = Field(default=2.0, ge=0)
    """Between a not-ready /readyz and the refusal of new connections, so that balancers notice."""
    grace_s: float = Field(default=30.0, ge=0)
    """How long running requests may go on after that."""

    @property
    def max_upload_bytes(self) -> int:
        """The largest body."""
        return self.max_upload_mb << 20
