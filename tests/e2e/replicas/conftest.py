"""Several replicas of each stage on one machine: an address of loopback each, one DNS name for all of a stage.

The name is served by the tests over real DNS; the orchestrator resolves it as it would a headless Service.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import grpc
import numpy as np
import pytest

from services.common.client import Client, MeshResult
from services.common.free_ports import free_ports
from services.common.options import MaskOptions, MeshOptions
from tests.waiting import until
from unflat.v1 import status_pb2, status_pb2_grpc

STAGES = ("segmentation", "depth", "mesher")
START_S = 120.0
REQUEST_S = 90.0
AGE_S = 3  # of a connection; production has 60
_DOMAIN = "unflat.test"
_A, _HEADER = 1, struct.Struct(">HHHHHH")


class TinyDns:
    """A DNS server of loopback that knows IPv4 addresses by name; anything else is answered with nothing."""

    def __init__(self) -> None:
        self.addresses: dict[str, list[str]] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, name="dns", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            query, caller = self._socket.recvfrom(512)
            if not query:
                return
            self._socket.sendto(self._answer(query), caller)

    def _answer(self, query: bytes) -> bytes:
        end, labels = _HEADER.size, []
        while query[end]:
            labels.append(query[end + 1 : end + 1 + query[end]].decode())
            end += 1 + query[end]
        [kind] = struct.unpack_from(">H", query, end + 1)
        question = query[_HEADER.size : end + 5]
        found = self.addresses.get(".".join(labels).lower(), []) if kind == _A else []
        records = b"".join(
            struct.pack(">HHHIH", 0xC00C, _A, 1, 0, 4) + socket.inet_aton(address) for address in found
        )  # each points back at the name of the question, and lives 0 s
        [number] = struct.unpack_from(">H", query)
        return _HEADER.pack(number, 0x8580, 1, len(found), 0, 0) + question + records


@dataclass
class Replica:
    """One process of a stage."""

    stage: str
    ip: str
    popen: subprocess.Popen[bytes]
    address_file: Path
    log: Path

    def admitted(self) -> int:
        """Return how many calls have got their turn here."""
        port = json.loads(self.address_file.read_text())["metrics_port"]
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://{self.ip}:{port}/metrics", timeout=20) as answer:
            text = answer.read().decode()
        sign = f'unflat_admitted_total{{stage="{self.stage}"}} '
        return round(sum(float(line[len(sign) :]) for line in text.splitlines() if line.startswith(sign)))


@dataclass
class Load:
    """What callers got while something was done to the fleet."""

    made: list[MeshResult] = field(default_factory=list)
    lost: list[BaseException] = field(default_factory=list)

    def depth_outcomes(self) -> set[int]:
        """Return every outcome that depth had."""
        return {stage.outcome for made in self.made for stage in made.receipt.stages if stage.stage == "depth"}


class Fleet:
    """Two or more replicas of each stage behind one orchestrator."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = dict(environment)
        self._started = 0
        self.dns = TinyDns()
        self.ports = dict(zip(STAGES, free_ports(len(STAGES), "0.0.0.0"), strict=True))
        self.replicas: dict[str, list[Replica]] = {stage: [] for stage in STAGES}
        self.client: Client | None = None
        self._all: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start two of each stage, and the orchestrator."""
        self.heal()
        addresses = [
            f"--{stage}-address=dns://127.0.0.1:{self.dns.port}/{stage}.{_DOMAIN}:{self.ports[stage]}"
            for stage in STAGES
        ]
        flags = ["--concurrency=8", "--decoders=1", "--cache-mb=0", *addresses]  # every stage works for every request
        orchestrator = self._launch("orchestrator", "127.0.0.1", 0, flags)
        _wait_for(orchestrator)
        address = json.loads(orchestrator.address_file.read_text())["address"]
        self.client = Client(address, REQUEST_S)

    def heal(self) -> None:
        """Bring every stage back to two replicas."""
        fresh = [
            self.launch(stage) for stage in STAGES for _ in range(2 - len(self.replicas[stage]))
        ]  # all at once, then wait for each
        for replica in fresh:
            self.take_in(replica)

    def launch(self, stage: str) -> Replica:
        """Start one more replica, of which nobody knows yet."""
        self._started += 1
        flags = [f"--max-connection-age-s={AGE_S}", "--threads=1"]
        return self._launch(stage, f"127.0.0.{self._started + 1}", self.ports[stage], flags)

    def take_in(self, replica: Replica) -> None:
        """Wait until `replica` serves, and add it to the name of its stage."""
        _wait_for(replica)
        with grpc.insecure_channel(f"{replica.ip}:{self.ports[replica.stage]}") as channel:
            stub = status_pb2_grpc.StatusServiceStub(channel)
            request = status_pb2.GetServiceStatusRequest()
            until(
                lambda: stub.GetServiceStatus(request, timeout=20, wait_for_ready=True).serving,
                START_S,
                replica.log.read_text,
            )
        self.replicas[replica.stage].append(replica)
        self._publish()

    def retire(self, replica: Replica) -> None:
        """End `replica` as Kubernetes does: out of the name, SIGTERM, and it drains."""
        self._forget(replica)
        replica.popen.send_signal(signal.SIGTERM)
        assert replica.popen.wait(60) == 0, replica.log.read_text()

    def kill(self, replica: Replica) -> None:
        """End `replica` at once; the name still has it for a moment, as in life."""
        replica.popen.kill()
        replica.popen.wait()
        self._forget(replica)

    def mesh(self, photo: bytes) -> MeshResult:
        """Return the mesh of a small photo, made with depth however long that takes."""
        assert self.client is not None
        mask = MaskOptions(preset="fast", depth_wait_s=REQUEST_S)
        return self.client.generate_mesh(photo, mask=mask, mesh=MeshOptions(resolution=48))

    @contextmanager
    def under_load(self, photo: bytes, callers: int = 2) -> Iterator[Load]:
        """Keep `callers` callers busy during the body, and wait for their last answers."""
        load, stop = Load(), threading.Event()

        def call() -> None:
            while not stop.is_set():
                try:
                    load.made.append(self.mesh(photo))
                except Exception as problem:
                    load.lost.append(problem)

        with futures.ThreadPoolExecutor(callers) as pool:
            running = [pool.submit(call) for _ in range(callers)]
            try:
                yield load
            finally:
                stop.set()
        for one in running:
            one.result()

    def close(self) -> None:
        """End every process."""
        if self.client is not None:
            self.client.close()
        for popen in self._all:
            popen.kill()
        for popen in self._all:
            popen.wait()
        self.dns.close()

    def _launch(self, service: str, ip: str, port: int, flags: list[str]) -> Replica:
        name = f"{service}-{ip}"
        address_file, log = self._folder / f"{name}.json", self._folder / f"{name}.log"
        common = [f"--host={ip}", f"--port={port}", f"--address-file={address_file}"]
        common += ["--health-port=-1", "--drain-s=0.5"]
        with log.open("wb") as out:
            popen = subprocess.Popen(
                [sys.executable, "-m", f"services.{service}", f"--end-with-parent={os.getpid()}", *common, *flags],
                env={**os.environ, **self._environment},
                stdout=out,
                stderr=out,
            )
        self._all.append(popen)
        return Replica(service, ip, popen, address_file, log)

    def _forget(self, replica: Replica) -> None:
        self.replicas[replica.stage].remove(replica)
        self._publish()

    def _publish(self) -> None:
        self.dns.addresses = {f"{stage}.{_DOMAIN}": [one.ip for one in self.replicas[stage]] for stage in STAGES}


def _wait_for(replica: Replica) -> None:
    until(lambda: replica.address_file.exists() or replica.popen.poll() is not None, START_S, replica.log.read_text)
    assert replica.popen.poll() is None, replica.log.read_text()


@pytest.fixture(scope="package")
def fleet(tmp_path_factory: pytest.TempPathFactory, depth_network: Path) -> Iterator[Fleet]:
    """Two replicas of each stage; a test may end some, the next one heals."""
    folder = tmp_path_factory.mktemp("fleet")
    one = Fleet(
        folder,
        {
            "UNFLAT_MODELS": str(folder / "empty-store"),
            "UNFLAT_DEPTH_BACKEND": f"onnx:{depth_network}?size=56",
            "GRPC_DNS_RESOLVER": "ares",
        },
    )
    try:
        one.start()
        yield one
    finally:
        one.close()


@pytest.fixture(scope="session")
def photo() -> bytes:
    """A small red ball before a calm background."""
    y, x = np.mgrid[0:96, 0:128].astype(np.float32)
    picture = np.dstack([170 + y / 4, 165 + x / 8, 160 + y / 8])  # BGR
    ball = np.hypot(x - 64, y - 48)
    picture[ball < 30] = np.dstack([40 + ball, 50 + ball, 220 - 2 * ball])[ball < 30]
    done, data = cv2.imencode(".png", picture.astype(np.uint8))
    assert done
    return bytes(data)
