"""The page in a real browser: the real gateway in a thread of its own, before an orchestrator that a test directs.

The browser ends with each module: its event loop must not run while tests of others run theirs.
"""

from __future__ import annotations

import asyncio
import io
import shutil
import socket
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
import uvicorn
from PIL import Image, ImageDraw
from playwright import sync_api
from pydantic import SecretStr

from services.common.client import CutoutResult, MeshResult
from services.common.options import CutoutOptions, MaskOptions, MeshOptions
from services.common.telemetry.logs import configure_logs
from services.gateway.app import create_app
from services.gateway.settings import GatewaySettings
from tests.orchestrator.refusals import refuse_as_the_product
from unflat.v1 import common_pb2, mesher_pb2
from unflat.v1 import orchestrator_pb2 as pb

CHROMIUM = shutil.which("chromium")
ROOT = Path(__file__).resolve().parents[3]
AXE = ROOT / "node_modules/axe-core/axe.min.js"
# WebGL without a GPU; root in a container has no sandbox.
_FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
_VERDICT = "Whole: closed, solid, 60% as deep as it is wide, and it explains 98% of the cutout."


def png_of(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def disc(width: int = 120, height: int = 90) -> Image.Image:
    """A white disc on black: the mask of the photo below."""
    picture = Image.new("L", (width, height), 0)
    ImageDraw.Draw(picture).ellipse((30, 15, 90, 75), fill=255)
    return picture


def photo_png() -> bytes:
    """An orange disc before grey."""
    photo = Image.new("RGB", (120, 90), (90, 95, 100))
    photo.paste((230, 120, 40), mask=disc())
    return png_of(photo)


def glb() -> bytes:
    ball = trimesh.creation.icosphere(subdivisions=2, radius=0.5)
    ball.visual = trimesh.visual.ColorVisuals(ball, vertex_colors=np.full((len(ball.vertices), 4), (230, 120, 40, 255)))
    return bytes(ball.export(file_type="glb"))


@dataclass
class DirectedOrchestrator:
    """Answers at once, or once the test lets it; records what it was asked.

    Attributes:
        hold: while it is not set, calls stay at their last progress.
        error: raised instead of a result.
        depth_lost: why there is no depth, if there is none.
        has_own_alpha: whether photos were cut out before.
    """

    hold: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None
    depth_lost: str = ""
    has_own_alpha: bool = False
    verdict: str = _VERDICT
    verdict_kind: Any = mesher_pb2.MESH_VERDICT_GOOD
    calls: list[dict[str, Any]] = field(default_factory=list)
    left: threading.Event = field(default_factory=threading.Event)

    async def stream_mesh(
        self, photo: bytes, *, mask: MaskOptions, mesh: MeshOptions, debug: bool = False, request_id: str = ""
    ) -> AsyncGenerator[pb.Progress | MeshResult, None]:
        self.calls.append({"kind": "mesh", "photo": photo, "mask": mask, "mesh": mesh})
        refuse_as_the_product(photo, mask)
        async for progress in self._work(photo, ("mesher", "inflate", 0.6)):
            yield progress
        yield MeshResult(glb(), mesh.format, self._cutout(photo), self._receipt(mask, True), self._steps(photo, mask))

    async def stream_cutout(
        self, photo: bytes, *, mask: MaskOptions, cutout: CutoutOptions, debug: bool = False, request_id: str = ""
    ) -> AsyncGenerator[pb.Progress | CutoutResult, None]:
        self.calls.append({"kind": "cutout", "photo": photo, "mask": mask, "cutout": cutout})
        refuse_as_the_product(photo, mask)
        async for progress in self._work(photo, ("orchestrator", "cutout", 0.7)):
            yield progress
        yield CutoutResult(self._cutout(photo), "image/png", self._receipt(mask, False), self._steps(photo, mask))

    async def status(self, timeout_s: float = 5.0) -> pb.GetStatusResponse:
        return pb.GetStatusResponse(version="0")

    async def _work(self, photo: bytes, last: tuple[str, str, float]) -> AsyncGenerator[pb.Progress, None]:
        try:
            yield pb.Progress(stage="orchestrator", step="decode", fraction=0.01)
            yield pb.Progress(stage="segmentation", step="segment", fraction=0.1)
            yield pb.Progress(stage="orchestrator", step="mask", fraction=0.4, preview_png=png_of(disc()))
            stage, step, fraction = last
            while not self.hold.is_set():
                yield pb.Progress(stage=stage, step=step, fraction=fraction)
                await asyncio.sleep(0.02)
            if self.error:
                raise self.error
        except (asyncio.CancelledError, GeneratorExit):
            self.left.set()
            raise

    def _cutout(self, photo: bytes) -> bytes:
        picture = Image.open(io.BytesIO(photo)).convert("RGBA")
        picture.putalpha(disc(*picture.size))
        return png_of(picture)

    def _steps(self, photo: bytes, mask: MaskOptions) -> dict[str, bytes]:
        plain = png_of(disc(*Image.open(io.BytesIO(photo)).size))
        steps = {"segmentation": plain, "hybrid": mask.mask or plain}
        if mask.depth and not self.depth_lost:
            ramp = np.tile(np.linspace(0, 255, 120, dtype=np.uint8), (90, 1))
            steps |= {"depth": png_of(Image.fromarray(ramp)), "depth_mask": plain}
        return steps

    def _receipt(self, mask: MaskOptions, has_mesh: bool) -> pb.Receipt:
        depth = pb.StageReceipt(stage="depth", outcome=pb.OUTCOME_OK, total_s=0.2)
        warnings = []
        if not mask.depth:
            depth = pb.StageReceipt(stage="depth", outcome=pb.OUTCOME_DISABLED)
        elif self.depth_lost:
            depth = pb.StageReceipt(stage="depth", outcome=pb.OUTCOME_UNAVAILABLE, reason=self.depth_lost)
            warnings = [f"made without depth: {self.depth_lost}"]
        report = common_pb2.StageReport(backend="grabcut", device="cpu")
        segmentation = pb.StageReceipt(
            stage="segmentation", outcome=pb.OUTCOME_OK, report=report, total_s=0.5, cached=True
        )
        source = pb.MASK_SOURCE_SEGMENTATION
        if mask.mask or self.has_own_alpha:
            source = pb.MASK_SOURCE_SUPPLIED if mask.mask else pb.MASK_SOURCE_OWN_ALPHA
            segmentation = pb.StageReceipt(
                stage="segmentation", outcome=pb.OUTCOME_SUPPLIED, reason="supplied with the request"
            )
        receipt = pb.Receipt(
            photo=pb.PhotoFacts(width=120, height=90, format="PNG"),
            stages=[segmentation, depth],
            steps=[pb.StepTiming(step="decode", seconds=0.1), pb.StepTiming(step="cutout", seconds=0.2)],
            warnings=warnings,
            degraded=bool(warnings),
            total_s=1.25,
            mask=pb.MaskFacts(used_depth=depth.outcome == pb.OUTCOME_OK, source=source),
        )
        if has_mesh:
            receipt.verdict = self.verdict
            receipt.mesh.CopyFrom(
                mesher_pb2.MeshQuality(
                    vertices=162,
                    faces=320,
                    watertight=True,
                    components=1,
                    verdict=self.verdict,
                    verdict_kind=self.verdict_kind,
                )
            )
        return receipt


@dataclass
class Site:
    """A gateway that listens."""

    url: str
    orchestrator: DirectedOrchestrator

    def last(self) -> dict[str, Any]:
        return self.orchestrator.calls[-1]


OpenSite = Callable[..., Site]


@pytest.fixture
def open_site(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenSite]:
    """Return a function that opens a gateway with settings of the test's own."""
    configure_logs("gateway", "error", "json")
    # Two seconds of drawing that test_mesh_sheet.py looks after.
    monkeypatch.setattr("services.gateway.jobs.mesh_sheet.mesh_sheet", lambda result: result.cutout)
    running: list[tuple[uvicorn.Server, threading.Thread, DirectedOrchestrator]] = []

    def open_(**settings: Any) -> Site:
        if "token" in settings:
            settings["token"] = SecretStr(settings["token"])
        orchestrator = DirectedOrchestrator()
        orchestrator.hold.set()
        listener = socket.create_server(("127.0.0.1", 0))
        app = create_app(GatewaySettings(**settings), orchestrator)
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        running.append((server, thread, orchestrator))
        return Site(f"http://127.0.0.1:{listener.getsockname()[1]}", orchestrator)

    yield open_
    for server, thread, orchestrator in running:
        orchestrator.hold.set()
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def site(open_site: OpenSite) -> Site:
    """A gateway with default settings."""
    return open_site()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium, without a window."""
    with sync_api.sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        yield one
        one.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Any]]:
    """Return a function that opens a page and fails the test on an error in its scripts."""
    contexts: list[Any] = []
    errors: list[str] = []

    def open_(url: str, width: int = 1280, height: int = 800, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(url)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def page(site: Site, visit: Callable[..., Any]) -> Any:
    """The page of `site` on a desktop."""
    return visit(site.url)


@pytest.fixture
def give() -> Callable[..., None]:
    """Return a function that picks a photo on a page."""

    def pick(page: Any, data: bytes | None = None, name: str = "ball.png", mime: str = "image/png") -> None:
        page.set_input_files("#pick", {"name": name, "mimeType": mime, "buffer": photo_png() if data is None else data})

    return pick


@pytest.fixture
def finished() -> Callable[[Any], None]:
    """Return a function that waits until a page has said that it is done."""

    def wait(page: Any) -> None:
        page.locator("#progress-now", has_text="Done in").wait_for()

    return wait


@pytest.fixture
def made_anew(finished: Callable[[Any], None]) -> Callable[[Any, Callable[[], None]], None]:
    """Return a function that does something on a page and waits for the result of the run that follows."""

    def run(page: Any, action: Callable[[], None]) -> None:
        with page.expect_response(lambda answer: answer.url.endswith("/result")):
            action()
        finished(page)

    return run


@pytest.fixture
def axe() -> str:
    """The source of axe-core."""
    return AXE.read_text(encoding="utf-8")
