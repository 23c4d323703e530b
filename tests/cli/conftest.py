"""The command run in this process, against a client that answers without a service."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from services.cli import main as main_module
from services.common.client import CutoutResult, MeshResult
from services.common.errors import NoSubject, UnflatError
from services.common.options import MaskOptions
from tests.orchestrator.refusals import refuse_as_the_product
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
        refuse_as_the_product(photo, rest.get("mask", MaskOptions()))
        depth = pb.StageReceipt(stage="depth", outcome=pb.OUTCOME_UNAVAILABLE, reason="no [depth] here")
        warnings = ["made without depth: no [depth] here"]
        return pb.Receipt(request_id="id-1", stages=[depth], degraded=True, warnings=warnings, verdict="solid.")

    def stream_cutout(self, photo: bytes, **rest: Any) -> Iterator[Any]:
        receipt = self._receipt(photo, **rest)
        yield pb.Progress(stage="orchestrator", step="decode", fraction=0.1)
        mask = _png(Image.new("L", (32, 24), 255)) if rest["cutout"].with_mask else b""
        yield CutoutResult(b"cutout of %d bytes" % len(photo), "image/png", receipt, {"raw": b"raw picture"}, mask)

    def stream_mesh(self, photo: bytes, **rest: Any) -> Iterator[Any]:
        receipt = self._receipt(photo, **rest)
        yield pb.Progress(stage="mesher", step="shape", fraction=0.6)
        yield MeshResult(b"glTF mesh", rest["mesh"].format, b"cutout", receipt, {})

    def estimate_depth(self, photo: bytes, **rest: Any) -> tuple[np.ndarray, pb.StageReceipt]:
        self._receipt(photo, **rest)
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

    monkeypatch.setattr("services.cli.batch.connect", connect)
    monkeypatch.setattr("services.cli.commands.cutout.connect", connect)
    monkeypatch.setattr("services.cli.commands.depth.connect", connect)
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


# ── a turntable with known masks ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Turn:
    """One view of a mug on a turntable: photo (H, W, 3) uint8, where the mug is, and where the disc below it is."""

    photo: np.ndarray
    mug: np.ndarray
    disc: np.ndarray


def _turn(angle: float, seed: int, width: int = 320, height: int = 240) -> Turn:
    """A striped cylinder with a ring for its handle, turned by `angle`, before a grey wall, on a brown disc."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = x - width / 2, y - height * 0.55
    photo = np.empty((height, width, 3), np.float32)
    photo[:] = (150, 158, 165)
    disc = (x / 130) ** 2 + ((y - 62) / 34) ** 2 < 1
    photo[disc] = (96, 84, 70)
    across = np.sqrt(np.clip(1 - (x / 46) ** 2, 0, 1))
    body = (np.abs(x) < 46) & (y > -58) & (y < 60 + 8 * across)
    stripes = np.sin(3 * (np.arcsin(np.clip(x / 46, -1, 1)) + angle)) > 0.2
    colour = np.where(stripes[..., None], (200, 60, 40), (235, 205, 90)) * (0.55 + 0.45 * across)[..., None]
    ring = ((x - 59 * np.sin(angle)) / (6 + 22 * abs(np.sin(angle)))) ** 2 + (y / 34) ** 2
    handle = (ring < 1) & (ring > 0.35)
    for part, value in ((body, colour), (handle, 0.0))[:: 1 if np.cos(angle) > 0 else -1]:
        photo[part] = value[part] if isinstance(value, np.ndarray) else (150, 40, 30)
    photo += rng.normal(0, 4, photo.shape)
    return Turn(np.clip(photo, 0, 255).astype(np.uint8), body | handle, disc)


@pytest.fixture(scope="session")
def turns() -> list[Turn]:
    """Twelve views, thirty degrees apart."""
    return [_turn(2 * np.pi * number / 12, number) for number in range(12)]


@dataclass
class TurntableClient(FakeClient):
    """Answers each photo with the mask that is set for it, or with the mask that was sent along."""

    masks: dict[bytes, np.ndarray] = field(default_factory=dict)
    hints: list[np.ndarray] = field(default_factory=list)
    closed: bool = False

    @property
    def photos(self) -> list[bytes]:
        """What was asked for."""
        return [request["photo"] for request in self.asked]

    def stream_cutout(self, photo: bytes, **rest: Any) -> Iterator[Any]:
        *progress, result = super().stream_cutout(photo, **rest)
        hint = rest["mask"].mask
        if hint:
            self.hints.append(np.asarray(Image.open(io.BytesIO(hint))) > 127)
        mask = hint or _png(Image.fromarray(self.masks[photo].astype(np.uint8) * 255))
        if not np.asarray(Image.open(io.BytesIO(mask))).any():
            raise NoSubject("nothing in the photo stands out")
        result.receipt.mask.confidence = 0.9
        yield from progress
        yield replace(result, mask=mask if rest["cutout"].with_mask else b"")

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def turntable(monkeypatch: pytest.MonkeyPatch, turns: list[Turn], tmp_path: Path) -> TurntableClient:
    """Twelve photos in `tmp_path/photos`, and the client that all commands get, which knows their true masks."""
    one = TurntableClient()
    (tmp_path / "photos").mkdir()
    for number, turn in enumerate(turns):
        data = _png(Image.fromarray(turn.photo))
        (tmp_path / "photos" / f"{number:02}.png").write_bytes(data)
        one.masks[data] = turn.mug

    @contextlib.contextmanager
    def connect(*given: object) -> Iterator[TurntableClient]:
        yield one

    for room in ("batch", "commands.cutout"):
        monkeypatch.setattr(f"services.cli.{room}.connect", connect)
    return one
