"""A gateway over a fake orchestrator: what it was asked is recorded, what it answers is set by the test."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import subprocess
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog
from fastapi.testclient import TestClient
from PIL import Image
from pydantic import SecretStr

from services.common.client import CutoutResult, MeshResult, Progress
from services.common.options import CutoutOptions, MaskOptions, MeshOptions
from services.common.telemetry.logs import configure_logs
from services.gateway.app import create_app
from services.gateway.gateway import Fetch
from services.gateway.settings import GatewaySettings
from tests.orchestrator.refusals import refuse_as_the_product
from tests.waiting import is_listening, until
from unflat.v1 import common_pb2
from unflat.v1 import orchestrator_pb2 as pb


def png_of(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


PREVIEW = png_of(Image.new("L", (4, 3), 90))


@dataclass
class FakeOrchestrator:
    """Answers like the orchestrator, at once, with what the test put in."""

    error: Exception | None = None
    png: bytes = field(default_factory=lambda: png_of(Image.new("RGBA", (4, 3), (200, 100, 40, 100))))
    mesh: bytes = b"glTF-bytes"
    warnings: list[str] = field(default_factory=list)
    verdict: str = ""
    depth: Any = pb.OUTCOME_DISABLED
    segmentation_backend: str = "rembg:isnet-general-use"
    down: dict[str, str] = field(default_factory=dict)
    status_error: Exception | None = None
    gate: threading.Event | None = None  # while unset, calls do not end
    calls: list[dict[str, Any]] = field(default_factory=list)
    status_calls: int = 0
    cancelled: int = 0

    async def stream_cutout(
        self, photo: bytes, *, mask: MaskOptions, cutout: CutoutOptions, debug: bool = False, request_id: str = ""
    ) -> AsyncGenerator[Progress | CutoutResult, None]:
        asked = {"photo": photo, "mask": mask, "cutout": cutout, "request_id": request_id, "debug": debug}
        self.calls.append(asked)
        if self.error is None:
            refuse_as_the_product(photo, mask)
        async for progress in self._progress():
            yield progress
        media_type = "image/png" if cutout.mask_only else f"image/{cutout.format}"
        png = png_of(Image.new("L", (4, 3), 100)) if cutout.mask_only else self.png
        yield CutoutResult(png, media_type, self._receipt(request_id), self._debug(debug))

    async def stream_mesh(
        self, photo: bytes, *, mask: MaskOptions, mesh: MeshOptions, debug: bool = False, request_id: str = ""
    ) -> AsyncGenerator[Progress | MeshResult, None]:
        asked = {"photo": photo, "mask": mask, "mesh": mesh, "request_id": request_id, "debug": debug}
        self.calls.append(asked)
        if self.error is None:
            refuse_as_the_product(photo, mask)
        async for progress in self._progress():
            yield progress
        yield MeshResult(self.mesh, mesh.format, self.png, self._receipt(request_id), self._debug(debug, "photo"))

    async def status(self, timeout_s: float = 5.0) -> pb.GetStatusResponse:
        self.status_calls += 1
        if self.status_error:
            raise self.status_error
        backends = {"segmentation": self.segmentation_backend, "depth": "depth-anything-v2:vits", "mesher": "inflate"}
        stages = [
            pb.StageStatus(
                stage=name,
                address=f"{name}:50051",
                serving=pb.SERVING_NOT_SERVING if name in self.down else pb.SERVING_SERVING,
                reason=self.down.get(name, ""),
                backend=backend,
            )
            for name, backend in backends.items()
        ]
        return pb.GetStatusResponse(version="0", stages=stages)

    async def _progress(self) -> AsyncGenerator[Progress, None]:
        try:
            yield pb.Progress(stage="segmentation", fraction=0.1)
            yield pb.Progress(stage="orchestrator", step="mask", fraction=0.4, preview_png=PREVIEW)
            while self.gate and not self.gate.is_set():
                yield pb.Progress(stage="segmentation", fraction=0.5)
                await asyncio.sleep(0.02)
            if self.error:
                raise self.error
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled += 1
            raise

    def _debug(self, asked: bool, *names: str) -> dict[str, bytes]:
        return dict.fromkeys(("segmentation", "hybrid", *names), PREVIEW) if asked else {}

    def _receipt(self, request_id: str) -> pb.Receipt:
        degraded = self.depth in (pb.OUTCOME_UNAVAILABLE, pb.OUTCOME_TIMEOUT)
        return pb.Receipt(
            request_id=request_id,
            stages=[
                pb.StageReceipt(
                    stage="segmentation", outcome=pb.OUTCOME_OK, report=common_pb2.StageReport(backend="grabcut")
                ),
                pb.StageReceipt(stage="depth", outcome=self.depth),
            ],
            warnings=self.warnings,
            verdict=self.verdict,
            degraded=degraded,
            total_s=0.25,
        )


@dataclass
class House:
    """A test client of the gateway, and the orchestrator behind it."""

    http: TestClient
    orchestrator: FakeOrchestrator

    def last(self) -> dict[str, Any]:
        return self.orchestrator.calls[-1]


Open = Callable[..., House]


@pytest.fixture(autouse=True)
def logs(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Log as a deployed gateway does; returns a function that returns the lines written so far."""
    configure_logs("gateway", "info", "json")
    written: list[str] = []

    def lines() -> list[dict[str, Any]]:
        written.extend(capsys.readouterr().err.splitlines())
        return [json.loads(line) for line in written]

    yield lines
    structlog.reset_defaults()


@pytest.fixture
def open_house() -> Iterator[Open]:
    """Return a function that opens a gateway with settings of the test's own."""
    opened: list[TestClient] = []

    def make(fetch: Fetch | None = None, orchestrator: FakeOrchestrator | None = None, **settings: Any) -> House:
        for secret in {"token", "store"} & set(settings):
            settings[secret] = SecretStr(settings[secret])
        orchestrator = orchestrator or FakeOrchestrator()
        http = TestClient(create_app(GatewaySettings(**settings), orchestrator, fetch), raise_server_exceptions=False)
        http.__enter__()
        opened.append(http)
        return House(http, orchestrator)

    yield make
    for http in opened:
        http.__exit__(None, None, None)


@pytest.fixture
def house(open_house: Open) -> House:
    """A gateway with default settings."""
    return open_house()


@pytest.fixture
def photo() -> bytes:
    """A PNG of 24 × 16 pixels."""
    return png_of(Image.new("RGB", (24, 16), (10, 20, 30)))


class RedisServer:
    """A real Redis on a free port, without files; it can go away and come back."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *flags: str) -> None:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", *flags]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd="/")
        until(lambda: is_listening(self.port) or self._process.poll() is not None)
        assert self._process.poll() is None, "redis-server ended"

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A Redis that runs."""
    server = RedisServer()
    server.start()
    yield server
    server.stop()
