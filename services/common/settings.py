"""Settings that processes have in common; each service has its own in its `settings.py`, read by `load_settings.py`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.common.errors import InvalidOption
from services.common.tls import TlsFiles, tls_files

PREFIX = "UNFLAT_"  # of every environment variable


def default_store() -> Path:
    """Return the model store's folder: `UNFLAT_MODELS`, else in the user's cache."""
    named = os.environ.get("UNFLAT_MODELS")
    if named:
        return Path(named)
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "unflat" / "models"


class ProcessSettings(BaseSettings):
    """What every process has: how it logs and where it counts."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        extra="ignore",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        use_attribute_docstrings=True,
    )

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Lowest level that is written."""
    log_format: Literal["auto", "json", "human"] = "auto"
    """auto: human on a terminal, JSON elsewhere."""
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 in a container."""
    metrics_port: int = Field(default=0, ge=-1, le=65535)
    """Prometheus port; 0 takes a free one, -1 switches the endpoint off."""
    otlp_endpoint: str = ""
    """Trace collector (OTLP over gRPC), e.g. http://127.0.0.1:4317; empty traces nothing. Needs the extra tracing."""
    end_with_parent: int = Field(default=0, ge=0)
    """Process id of the parent to end with (Linux); 0 outlives it. Set by `unflat up`."""
    tls_cert: Path | None = None
    """Certificate of this process with its chain (PEM); with --tls-key and --tls-ca, services speak mutual TLS."""
    tls_key: Path | None = None
    """Its key (PEM, not encrypted)."""
    tls_ca: Path | None = None
    """Authorities that peers' certificates must be of (PEM)."""

    @property
    def tls_files(self) -> TlsFiles | None:
        """The certificate's files, or None where services speak plaintext."""
        return tls_files(self.tls_cert, self.tls_key, self.tls_ca)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        try:
            tls_files(self.tls_cert, self.tls_key, self.tls_ca)
        except InvalidOption as problem:
            raise ValueError(problem.message) from None
        return self


class RpcSettings(ProcessSettings):
    """What every gRPC service has beside."""

    port: int = Field(default=0, ge=0, le=65535)
    """gRPC port; 0 takes a free one."""
    health_port: int = Field(default=0, ge=-1, le=65535)
    """A second server with health alone, so that a busy stage still answers; 0 takes a free one, -1 none."""
    reflection: bool = True
    """Offer gRPC server reflection."""
    address_file: Path | None = None
    """File to write the bound addresses to (JSON), once they are known."""
    drain_s: float = Field(default=2.0, ge=0)
    """Between NOT_SERVING and the refusal of new calls, so that balancers notice."""
    grace_s: float = Field(default=30.0, ge=0)
    """How long running calls may go on after that."""
    max_connection_age_s: float = Field(default=60.0, ge=1)
    """Connections are renewed after this, so that new replicas get traffic through a headless service."""


class StageSettings(RpcSettings):
    """What a compute stage has beside."""

    concurrency: int = Field(default=1, ge=1, le=64)
    """Calls that compute at the same time."""
    queue: int = Field(default=16, ge=0, le=10_000)
    """Calls that may wait for their turn; beyond it RESOURCE_EXHAUSTED at once."""
    threads: int = Field(default=0, ge=0, le=256)
    """Threads of one computation; 0: all cores."""
    models: Path = Field(default_factory=default_store)
    """Folder of the model store."""
