"""The whole system on this machine: one process a service, on loopback and free ports, stopped whatever happens.

Each process writes to a log file of its own. On Linux the kernel ends them when the parent is killed outright.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.common.calling.channels import open_channel
from services.common.errors import StageUnavailable
from services.common.free_ports import free_port, free_ports
from services.common.tls import environment_identity
from unflat.v1 import status_pb2, status_pb2_grpc

STAGES = ("segmentation", "depth", "mesher")
_LOOK_S = 0.03  # between looks at a process that starts
_START_S = 120.0  # a large model on a slow disk
_STOP_S = 8.0  # then it is killed
_ORCHESTRATOR = "unflat.v1.OrchestratorService"


@dataclass(frozen=True)
class LocalServicesOptions:
    """How the system is started.

    Attributes:
        host: address that the orchestrator and the gateway listen on; stages stay on loopback.
        port: of the orchestrator; 0 takes a free one.
        http_port: of the gateway; None starts none.
        environment: variables for all services, beside this process's own; with UNFLAT_TLS_… all speak mutual TLS, for
            which their certificate names the addresses they are called by.
        without: stages that are not started.
    """

    host: str = "127.0.0.1"
    port: int = 0
    http_port: int | None = None
    environment: Mapping[str, str] | None = None
    without: tuple[str, ...] = ()


@dataclass
class Process:
    """One service that runs."""

    name: str
    port: int
    popen: subprocess.Popen[bytes]
    log: Path
    address_file: Path


class LocalServices:
    """Starts the services, and stops them at the end of a `with`."""

    def __init__(self, options: LocalServicesOptions = LocalServicesOptions()) -> None:
        self._options = options
        self._folder = tempfile.TemporaryDirectory(prefix="unflat-")
        self.processes: dict[str, Process] = {}
        self.identity = environment_identity({**os.environ, **(options.environment or {})})

    @property
    def address(self) -> str:
        """host:port of the orchestrator."""
        return f"{self._connect_host()}:{self.processes['orchestrator'].port}"

    def __enter__(self) -> LocalServices:
        """Start everything and wait until it answers."""
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything."""
        self.stop()

    def start(self, tell: Callable[[str], None] = lambda _: None) -> None:
        """Start every process at once, then wait for each.

        Raises:
            StageUnavailable: one of them ended or did not come up; the sentence has the end of its log.
        """
        ports = dict(zip(STAGES, free_ports(len(STAGES)), strict=True))
        orchestrator_port = self._options.port or free_port()
        for stage in STAGES:
            if stage not in self._options.without:
                self.launch(stage, ports[stage])
        addresses = [f"--{stage}-address=127.0.0.1:{ports[stage]}" for stage in STAGES]
        self._launch("orchestrator", orchestrator_port, self._options.host, addresses)
        if self._options.http_port is not None:
            address = f"--orchestrator-address={self.address}"
            self._launch("gateway", self._options.http_port, self._options.host, [address])
        for process in list(self.processes.values()):
            self.wait_for(process)
            tell(process.name)

    def launch(self, stage: str, port: int) -> Process:
        """Start one stage on a port of loopback; `wait_for` waits until it answers."""
        return self._launch(stage, port, "127.0.0.1", [])

    def stop(self) -> None:
        """Ask every process to end, and kill what has not ended in time."""
        for process in self.processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.popen.terminate()
        deadline = time.monotonic() + _STOP_S
        for process in self.processes.values():
            try:
                process.popen.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.popen.pid, signal.SIGKILL)
                process.popen.wait()
        self._folder.cleanup()

    def addresses(self) -> dict[str, dict[str, object]]:
        """Return what each process wrote of itself: address, health and metrics ports, pid."""
        return {
            name: json.loads(process.address_file.read_text(encoding="utf-8"))
            for name, process in self.processes.items()
            if process.address_file.exists()
        }

    def wait_for(self, process: Process) -> None:
        """Wait until `process` answers: a stage has loaded its model or said why not, the others serve.

        Raises:
            StageUnavailable: it ended, or did not come up in time.
        """
        deadline = time.monotonic() + _START_S
        while not process.address_file.exists():
            self._look(process, deadline)
        if process.name == "gateway":
            return
        host = self._connect_host() if process.name == "orchestrator" else "127.0.0.1"
        with open_channel(f"{host}:{process.port}", self.identity) as channel:
            is_up = _is_serving if process.name == "orchestrator" else _has_loaded
            while not is_up(channel):
                self._look(process, deadline)

    def _launch(self, name: str, port: int, host: str, extra: list[str]) -> Process:
        folder = Path(self._folder.name)
        log, address_file = folder / f"{name}.log", folder / f"{name}.json"
        address_file.unlink(missing_ok=True)
        own = [f"--end-with-parent={os.getpid()}", "--metrics-port=0"]
        drain = [] if name == "gateway" else ["--drain-s=0", "--grace-s=5"]
        flags = [f"--host={host}", f"--port={port}", f"--address-file={address_file}", *own, *drain, *extra]
        with log.open("ab") as out:
            popen = subprocess.Popen(
                [sys.executable, "-m", f"services.{name}", *flags],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, **(self._options.environment or {})},
                start_new_session=True,  # Ctrl-C reaches us alone, and we stop them in order
            )
        process = Process(name, port, popen, log, address_file)
        self.processes[name] = process
        return process

    def _look(self, process: Process, deadline: float) -> None:
        if process.popen.poll() is not None:
            raise StageUnavailable(f"{process.name} ended with {process.popen.returncode}: {_tail(process.log)}")
        if time.monotonic() > deadline:
            raise StageUnavailable(f"{process.name} did not come up within {_START_S:.0f} s: {_tail(process.log)}")
        time.sleep(_LOOK_S)

    def _connect_host(self) -> str:
        return "127.0.0.1" if self._options.host in ("0.0.0.0", "::") else self._options.host


def _is_serving(channel: grpc.Channel) -> bool:
    try:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        answer = stub.Check(health_pb2.HealthCheckRequest(service=_ORCHESTRATOR), timeout=1.0)
    except grpc.RpcError:
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def _has_loaded(channel: grpc.Channel) -> bool:
    try:
        stub = status_pb2_grpc.StatusServiceStub(channel)
        answer = stub.GetServiceStatus(status_pb2.GetServiceStatusRequest(), timeout=1.0)
    except grpc.RpcError:
        return False
    return not answer.loading


def _tail(log: Path, lines: int = 6) -> str:
    try:
        return " | ".join(log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-lines:])[-1500:]
    except OSError:
        return "no log"
