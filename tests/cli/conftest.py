"""The command run in this process, against a client that answers without a service."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from services.cli import main as main_module
from services.common.client import CutoutMade, MeshMade
from services.common.errors import InvalidImage, UnflatError
from unflat.v1 import orchestrator_pb2 as pb


@dataclass
class Ended:
    """How the command ended."""

    code: int
    out: str
    err: str


@dataclass
class FakeClient:
    """Answers any picture; remembers what was asked."""

    asked: list[dict[str, Any]] = field(default_factory=list)
    problem: UnflatError | None = None

    def _receipt(self, photo: bytes, **rest: Any) -> pb.Receipt:
        self.asked.append({"photo": photo, **rest})
        if self.problem is not None:
            raise self.problem
        if not photo.startswith((b"\x89PNG", b"\xff\xd8")):
            raise InvalidImage("the file is not a picture in a known format")
        depth = pb.StageReceipt(stage="depth", outcome=pb.OUTCOME_UNAVAILABLE, reason="no [depth] here")
        warnings = ["made without depth: no [depth] here"]
        return pb.Receipt(request_id="id-1", stages=[depth], degraded=True, warnings=warnings, verdict="solid.")

    def stream_cutout(self, photo: bytes, **rest: Any) -> Iterator[Any]:
        receipt = self._receipt(photo, **rest)
        yield pb.Progress(stage="orchestrator", step="decode", fraction=0.1)
        mask = _png(Image.new("L", (32, 24), 255)) if rest["cutout"].with_mask else b""
        yield CutoutMade(b"cutout of %d bytes" % len(photo), "image/png", receipt, {"raw": b"raw picture"}, mask)

    def stream_mesh(self, photo: bytes, **rest: Any) -> Iterator[Any]:
        receipt = self._receipt(photo, **rest)
        yield pb.Progress(stage="mesher", step="shape", fraction=0.6)
        yield MeshMade(b"glTF mesh", rest["mesh"].format, b"cutout", receipt, {})

    def estimate_depth(self, photo: bytes) -> tuple[np.ndarray, pb.StageReceipt]:
        self._receipt(photo)
        return np.tile(np.linspace(1, 2, 30, dtype=np.float32), (20, 1)), pb.StageReceipt(stage="depth")


def _png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    """The client that all commands get."""
    one = FakeClient()

    @contextlib.contextmanager
    def connect(*given: object) -> Iterator[FakeClient]:
        yield one

    monkeypatch.setattr("services.cli.jobs.connect", connect)
    monkeypatch.setattr("services.cli.cutout.connect", connect)
    monkeypatch.setattr("services.cli.make.connect", connect)
    return one


@pytest.fixture
def unflat(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Run `unflat` with arguments."""
    monkeypatch.setattr(main_module.signal, "signal", lambda *given: None)

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["unflat", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main_module.main()
        said = capsys.readouterr()
        return Ended(int(ended.value.code or 0), said.out, said.err)

    return run


@pytest.fixture
def make_photo(tmp_path: Path) -> Callable[[str], Path]:
    """Write a small picture under a name and return its path."""

    def make(name: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_png(Image.new("RGB", (32, 24), (200, 60, 40))))
        return path

    return make
