"""A stage as a process: up without its model, honest about why, and gone when told."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.common.errors import StageUnavailable
from services.common.rpc_errors import from_rpc_error
from services.common.wire import image_to_proto
from tests.waiting import until
from unflat.v1 import depth_pb2, depth_pb2_grpc, status_pb2, status_pb2_grpc

pytestmark = pytest.mark.slow

SERVICE = "unflat.v1.DepthService"
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
START_S = 60.0


@dataclass
class Running:
    """A process and where it listens."""

    popen: subprocess.Popen[bytes]
    address: str
    health_address: str
    metrics_url: str
    log: Path


def _command(*flags: str) -> list[str]:
    return [sys.executable, "-m", "services.depth", "--drain-s=0", "--grace-s=5", "--log-format=json", *flags]


def _environment(store: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("UNFLAT_")}
    return kept | {"UNFLAT_MODELS": str(store)}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The depth service over an empty store: a stage whose model cannot load."""
    folder = tmp_path_factory.mktemp("stage")
    address_file, log = folder / "addresses.json", folder / "log"
    with log.open("wb") as out:
        popen = subprocess.Popen(
            _command(f"--address-file={address_file}"), env=_environment(folder / "store"), stdout=out, stderr=out
        )
    try:
        until(lambda: address_file.exists() or popen.poll() is not None)
        assert popen.poll() is None, log.read_text()
        said = json.loads(address_file.read_text())
        metrics_url = f"http://127.0.0.1:{said['metrics_port']}/metrics"
        yield Running(popen, said["address"], f"127.0.0.1:{said['health_port']}", metrics_url, log)
    finally:
        popen.kill()
        popen.wait()


@pytest.fixture(scope="module")
def channel(stage: Running) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(stage.address) as one:
        yield one


@pytest.fixture(scope="module")
def status(channel: grpc.Channel) -> status_pb2.GetServiceStatusResponse:
    """What the stage says once its load has failed."""
    stub = status_pb2_grpc.StatusServiceStub(channel)

    def loaded() -> status_pb2.GetServiceStatusResponse | None:
        answer = stub.GetServiceStatus(status_pb2.GetServiceStatusRequest(), timeout=10, wait_for_ready=True)
        return None if answer.loading else answer

    return until(loaded)


def _health(address: str, service: str) -> Any:
    with grpc.insecure_channel(address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        return stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=10).status


def test_a_stage_without_its_model_stays_up(stage, status):
    assert stage.popen.poll() is None
    assert not status.serving
    assert status.service == "depth"


def test_its_reason_is_a_sentence_with_the_command_that_mends_it(status):
    assert "unflat models pull depth-anything-v2-vits" in status.reason
    assert "\n" not in status.reason


def test_it_is_alive_but_not_ready_on_both_ports(stage, status):
    for address in (stage.address, stage.health_address):
        assert _health(address, "") == SERVING
        assert _health(address, SERVICE) == NOT_SERVING


def test_a_call_is_answered_with_the_same_reason(channel, status):
    image = image_to_proto(np.zeros((16, 16, 3), np.uint8))
    with pytest.raises(grpc.RpcError) as caught:
        depth_pb2_grpc.DepthServiceStub(channel).EstimateDepth(depth_pb2.EstimateDepthRequest(image=image), timeout=10)
    problem = from_rpc_error(caught.value, "depth")
    assert isinstance(problem, StageUnavailable)
    assert problem.message == status.reason


def test_metrics_say_that_it_does_not_serve(stage, status, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with urllib.request.urlopen(stage.metrics_url, timeout=10) as answer:
        text = answer.read().decode()
    assert 'unflat_serving{stage="depth"} 0.0' in text
    assert "unflat_build_info{" in text


def test_a_port_in_use_ends_the_process_with_one_sentence(stage, tmp_path):
    port = stage.address.rsplit(":", 1)[1]
    done = subprocess.run(
        _command(f"--port={port}"), env=_environment(tmp_path), capture_output=True, timeout=60, check=False
    )
    said = done.stderr.decode()
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in said
    assert "Traceback" not in said


def test_a_metrics_port_in_use_ends_the_process_with_one_sentence(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        flag = f"--metrics-port={taken.getsockname()[1]}"
        done = subprocess.run(_command(flag), env=_environment(tmp_path), capture_output=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "cannot serve metrics on 127.0.0.1" in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


def test_told_to_stop_it_drains_and_ends_well(stage, status):
    stage.popen.send_signal(signal.SIGTERM)
    assert stage.popen.wait(30) == 0
    lines = [json.loads(line) for line in stage.log.read_text().splitlines() if line.startswith("{")]
    events = [line["event"] for line in lines]
    assert [event for event in events if event in ("listening", "not serving", "draining", "stopped")] == [
        "listening",
        "not serving",
        "draining",
        "stopped",
    ]
    assert all(line["service"] == "depth" for line in lines)
