"""Real processes of every service on loopback, with a proxy that can be made to fail before each stage."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.common.client import Client
from services.common.free_ports import free_ports
from tests.fault.proxy import FaultProxy, proxies_to
from tests.waiting import until
from unflat.v1 import orchestrator_pb2 as pb
from unflat.v1 import status_pb2, status_pb2_grpc

STAGES = ("segmentation", "depth", "mesher")
CONCURRENCY, QUEUE = 2, 4
START_S = 120.0
GAUGES = ("unflat_in_flight", "unflat_queued", "unflat_stage_demand")


class System:
    """Segmentation, depth and mesher behind proxies, and an orchestrator before them.

    Attributes:
        proxies: by stage.
        client: of the orchestrator; its requests have 60 s.
    """

    def __init__(self, folder: Path, depth_backend: str) -> None:
        self._folder = folder
        self._environment = {
            **os.environ,
            "UNFLAT_MODELS": str(folder / "no-models"),
            "UNFLAT_DEPTH_BACKEND": depth_backend,
            "UNFLAT_THREADS": "1",
        }
        self._ports = dict(zip(STAGES, free_ports(len(STAGES)), strict=True))
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._open = contextlib.ExitStack()
        self.proxies: dict[str, FaultProxy] = {}
        self.address = ""

    def __enter__(self) -> System:
        self._open.callback(self._stop)
        for stage in STAGES:
            self.launch(stage)
        proxies = self._open.enter_context(proxies_to(*(self._ports[stage] for stage in STAGES)))
        self.proxies = dict(zip(STAGES, proxies, strict=True))
        addresses = [f"--{stage}-address=127.0.0.1:{proxy.port}" for stage, proxy in self.proxies.items()]
        limits = [f"--concurrency={CONCURRENCY}", f"--queue={QUEUE}", "--cache-mb=0", "--decoders=1"]
        self._launch("orchestrator", 0, [*addresses, *limits])
        for stage in STAGES:
            self.wait_for(stage)
        self.address = str(self._announced("orchestrator")["address"])
        self.client = self._open.enter_context(Client(self.address, 60.0))
        until(lambda: self.health() == health_pb2.HealthCheckResponse.SERVING)
        return self

    def __exit__(self, *given: object) -> None:
        self._open.close()

    # ── what is done to it ──────────────────────────────────────────────────────────────────────────────────────────

    def launch(self, stage: str, *flags: str) -> None:
        """Start a stage on its port."""
        self._launch(stage, self._ports[stage], list(flags))

    def signal(self, service: str, what: signal.Signals) -> None:
        """Send a signal to a service."""
        self._processes[service].send_signal(what)

    def kill(self, stage: str) -> None:
        """End a stage as the kernel ends it."""
        self._processes[stage].kill()
        self._processes[stage].wait()

    def heal(self) -> None:
        """Let everything pass again."""
        for proxy in self.proxies.values():
            proxy.heal()

    # ── how it is ───────────────────────────────────────────────────────────────────────────────────────────────────

    def wait_for(self, stage: str) -> None:
        """Wait until a stage has loaded its model, or said why not."""
        with grpc.insecure_channel(f"127.0.0.1:{self._ports[stage]}") as channel:
            stub = status_pb2_grpc.StatusServiceStub(channel)

            def has_loaded() -> bool:
                assert self._processes[stage].poll() is None, self._log(stage)
                with contextlib.suppress(grpc.RpcError):
                    return not stub.GetServiceStatus(status_pb2.GetServiceStatusRequest(), timeout=1).loading
                return False

            until(has_loaded, START_S, lambda: self._log(stage))

    def health(self) -> int:
        """Return what the orchestrator's health says."""
        with grpc.insecure_channel(self.address) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            request = health_pb2.HealthCheckRequest(service="unflat.v1.OrchestratorService")
            with contextlib.suppress(grpc.RpcError):
                return int(stub.Check(request, timeout=20).status)
        return health_pb2.HealthCheckResponse.UNKNOWN

    def gauges(self, services: tuple[str, ...] = ("orchestrator", *STAGES)) -> dict[str, float]:
        """Return every gauge of work under way that is not 0."""
        busy = {}
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        for service in services:
            port = self._announced(service)["metrics_port"]
            text = opener.open(f"http://127.0.0.1:{port}/metrics", timeout=20).read().decode()
            for name, value in re.findall(r"^(unflat_\w+\{[^}]*\}) (\S+)$", text, re.MULTILINE):
                if name.startswith(GAUGES) and float(value):
                    busy[f"{service}: {name}"] = float(value)
        return busy

    def wait_until_idle(self, patience_s: float = 30.0) -> None:
        """Wait until no gauge counts work."""
        until(lambda: not self.gauges(), patience_s, self.gauges)

    def resident_mb(self) -> dict[str, float]:
        """Return the resident memory of every process."""
        page = os.sysconf("SC_PAGE_SIZE")
        return {
            name: int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * page / 1e6
            for name, process in self._processes.items()
        }

    def _launch(self, name: str, port: int, flags: list[str]) -> None:
        address_file = self._folder / f"{name}.json"
        address_file.unlink(missing_ok=True)
        command = [sys.executable, "-m", f"services.{name}", f"--port={port}", f"--address-file={address_file}"]
        common = [f"--end-with-parent={os.getpid()}", "--drain-s=0", "--grace-s=1"]
        with (self._folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [*command, *common, *flags], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment
            )

    def _announced(self, service: str) -> dict[str, object]:
        path = self._folder / f"{service}.json"
        until(lambda: path.exists() or self._processes[service].poll() is not None, START_S, lambda: self._log(service))
        assert self._processes[service].poll() is None, self._log(service)
        return dict(json.loads(path.read_text()))

    def _log(self, service: str) -> str:
        return (self._folder / f"{service}.log").read_text()[-2000:]

    def _stop(self) -> None:
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.wait()


def depth_of(receipt: pb.Receipt) -> str:
    """Return what became of depth."""
    (stage,) = [stage for stage in receipt.stages if stage.stage == "depth"]
    return pb.Outcome.Name(stage.outcome).removeprefix("OUTCOME_")
