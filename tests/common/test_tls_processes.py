"""The whole system with certificates, as processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.cli.local_services import LocalServices, LocalServicesOptions
from services.common.client import Client
from services.common.errors import StageUnavailable
from services.common.options import MaskOptions
from services.common.tls import TlsFiles
from tests.waiting import until
from unflat.v1 import orchestrator_pb2 as pb

pytestmark = pytest.mark.e2e

PHOTO = Path(__file__).resolve().parents[2] / "examples" / "mug.jpg"
WAIT_S = 60.0


def _environment(files: TlsFiles, service: str = "") -> dict[str, str]:
    return {f"UNFLAT_{service}TLS_{part.upper()}": str(getattr(files, part)) for part in ("cert", "key", "ca")}


@pytest.fixture
def local_services(authority: Any, tmp_path: Path) -> Iterator[LocalServices]:
    """Everything but depth, with one certificate for all."""
    environment = _environment(authority.issue("unflat")) | {"UNFLAT_MODELS": str(tmp_path / "empty-store")}
    with LocalServices(LocalServicesOptions(environment=environment, without=("depth",))) as running:
        yield running


def _depth_status(client: Client) -> pb.StageStatus:
    return next(stage for stage in client.status().stages if stage.stage == "depth")


def _until(client: Client, said: Callable[[pb.StageStatus], bool]) -> pb.StageStatus:
    def seen() -> pb.StageStatus | None:
        status = _depth_status(client)
        return status if said(status) else None

    return until(seen, WAIT_S, lambda: _depth_status(client))


def test_a_system_with_certificates_degrades_around_a_wrong_one_and_takes_it_back(local_services, authority):
    """One test, because starting a system is what costs: from all well, over an expired depth, to its renewal."""
    with Client(local_services.address, WAIT_S) as stranger, pytest.raises(StageUnavailable, match="it wants TLS"):
        stranger.status()
    health_port = local_services.addresses()["mesher"]["health_port"]
    with grpc.insecure_channel(f"127.0.0.1:{health_port}") as channel:  # as the kubelet asks
        stub: Any = health_pb2_grpc.HealthStub(channel)
        answer = stub.Check(health_pb2.HealthCheckRequest(service="unflat.v1.MesherService"), timeout=WAIT_S)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING

    with Client(local_services.address, WAIT_S, local_services.identity) as client:
        port = _depth_status(client).address.rsplit(":", 1)[1]
        expired = authority.issue("depth", days=-1)
        flags = [f"--port={port}", "--drain-s=0", f"--end-with-parent={os.getpid()}"]
        depth = subprocess.Popen(
            [sys.executable, "-m", "services.depth", *flags],
            env={**os.environ, **_environment(expired), "UNFLAT_MODELS": str(authority.folder / "empty-store")},
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        try:
            _until(client, lambda status: "shows a certificate that has expired" in status.reason)
            made = client.generate_mesh(PHOTO.read_bytes(), mask=MaskOptions(preset="fast"))
            [receipt] = [stage for stage in made.receipt.stages if stage.stage == "depth"]
            assert receipt.outcome == pb.OUTCOME_UNAVAILABLE
            assert "shows a certificate that has expired" in receipt.reason
            assert made.data

            authority.issue("depth")
            status = _until(client, lambda status: status.serving == pb.SERVING_NOT_SERVING)
            assert "no depth backend can run here" in status.reason
        finally:
            depth.kill()
            depth.wait()


def test_files_that_cannot_be_used_end_a_service_with_one_sentence(authority):
    files = authority.issue("depth")
    files.key.unlink()
    done = subprocess.run(
        [sys.executable, "-m", "services.depth"],
        env={**os.environ, **_environment(files, "DEPTH_")},
        capture_output=True,
        text=True,
        timeout=WAIT_S,
    )
    assert done.returncode == 2
    assert f"cannot read {files.key}" in done.stderr
    assert "Traceback" not in done.stderr
