"""Requests a second through our gateway beside `rembg s`: the same ONNX file, the same photos, eight clients.

Both answer `POST /api/remove`, one after the other, each with the machine to itself. The network is of U²-Net-P's size
with random weights that answers a stored mask, and the real ISNet where its file is in the model store.
"""

from __future__ import annotations

import contextlib
import io
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import httpx2
import numpy as np
from PIL import Image

from bench.run_baseline import PYTHON
from bench.section import Section
from bench.stub_network import write_stub_network
from services.cli.local_services import LocalServices, LocalServicesOptions
from services.common.free_ports import free_port
from services.common.models.model_store import ModelStore
from services.common.photos.decoding import decode_photo
from services.common.settings import default_store
from services.segmentation.backends.grabcut import GrabCut

CLIENTS = 8
OUTLINE_SIGMA_PX = 2.0
_START_S = 120.0


@dataclass(frozen=True)
class Load:
    """What a server did under load."""

    rate: float
    p50: float
    p99: float
    failed: int


def compare_throughput(photo: Path, requests: int) -> Section:
    """Return throughput and latency of both, for a small and, where it is here, a large network."""
    photos = _different(photo, requests)
    rows: list[tuple[str, ...]] = []
    ratios = {}
    with tempfile.TemporaryDirectory() as text:
        for name, model, path, count in _networks(photo, Path(text), requests):
            with _rembg(model, path, Path(text)) as url:
                baseline = _load(url, model, photos[:count])
            with _ours(path, model) as url:
                ours = _load(url, "", photos[:count])
            for server, load in (("unflat", ours), ("rembg s", baseline)):
                seconds = (f"{load.p50 * 1e3:.0f}", f"{load.p99 * 1e3:.0f}")
                rows.append((f"{name}, {server}", f"{load.rate:.2f}", *seconds, str(load.failed)))
            ratios[f"requests a second against rembg s: {name}"] = ours.rate / baseline.rate
    return Section(
        title="Gateway against rembg s",
        method=f"{CLIENTS} clients send `{photo.name}` to `/api/remove`, cropped differently each time; one request "
        "before does not count. Both without matting; ours with refinement and the subject's own colour at soft edges.",
        columns=("network, server", "requests/s", "p50 ms", "p99 ms", "failed"),
        rows=tuple(rows),
        ratios=ratios,
    )


def _networks(photo: Path, folder: Path, requests: int) -> Iterator[tuple[str, str, Path, int]]:
    """Yield name, rembg's model name, file, and how many requests to send."""
    small = folder / "u2netp.onnx"
    # GrabCut is unsure of every pixel; a trained network only at the outline, and what is soft costs both of them.
    subject = GrabCut().segment(decode_photo(photo.read_bytes()).working).alpha > 0.5
    mask = np.asarray(cv2.GaussianBlur(subject.astype(np.float32), (0, 0), OUTLINE_SIGMA_PX), np.float32)
    write_stub_network(small, mask, 320, layers=12)
    yield "U²-Net-P's size, 320²", "u2netp", small, requests
    isnet = ModelStore(default_store()).find("isnet-general-use")
    if isnet is not None:
        yield "ISNet, 1024²", "isnet-general-use", isnet.path, max(requests // 4, CLIENTS)


@contextlib.contextmanager
def _ours(path: Path, model: str) -> Iterator[str]:
    family = "side=320" if model == "u2netp" else "side=1024&mean=0.5,0.5,0.5&std=1,1,1"
    environment = {"UNFLAT_SEGMENTATION_BACKEND": f"onnx:{path}?{family}"}
    with LocalServices(
        LocalServicesOptions(http_port=free_port(), environment=environment, without=("depth", "mesher"))
    ) as stack:
        yield f"http://127.0.0.1:{stack.processes['gateway'].port}"


@contextlib.contextmanager
def _rembg(model: str, path: Path, folder: Path) -> Iterator[str]:
    """Run `rembg s` with `path` in the place where it looks for the weights of `model`."""
    home = folder / f"home-{model}"
    home.mkdir()
    (home / f"{model}.onnx").symlink_to(path)
    port = free_port()
    command = [str(PYTHON.with_name("rembg")), "s", "--host", "127.0.0.1", "--port", str(port), "--no-ui"]
    log = (folder / f"{model}.log").open("ab")
    server = subprocess.Popen(
        command, env={"U2NET_HOME": str(home), "PATH": "/usr/bin:/bin", "HOME": str(folder)}, stdout=log, stderr=log
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, server)
        yield url
    finally:
        server.terminate()
        server.wait()
        log.close()


def _wait(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"rembg s ended with {server.returncode}")
        with contextlib.suppress(httpx2.TransportError):
            httpx2.get(f"{url}/openapi.json", timeout=2.0)
            return
        time.sleep(0.2)
    raise RuntimeError(f"rembg s did not answer within {_START_S:.0f} s")


def _different(photo: Path, count: int) -> list[bytes]:
    """Return `count` photos that differ, because an orchestrator remembers what it has just seen."""
    picture = Image.open(photo).convert("RGB")
    files = []
    for number in range(count):
        buffer = io.BytesIO()
        cropped = picture.crop((number % 16, number // 16, picture.width, picture.height))
        cropped.save(buffer, "JPEG", quality=92)
        files.append(buffer.getvalue())
    return files


def _load(url: str, model: str, photos: list[bytes]) -> Load:
    """Send each photo once, from `CLIENTS` clients that each wait for their answer."""
    turns = iter(photos)
    lock, seconds, failed = threading.Lock(), list[float](), list[int]()

    def client() -> None:
        with httpx2.Client(timeout=300.0) as http:
            while True:
                with lock:
                    photo = next(turns, None)
                if photo is None:
                    return
                begin = time.perf_counter()
                status = _remove(http, url, model, photo)
                took = time.perf_counter() - begin
                with lock:
                    (seconds if status == 200 else failed).append(took)  # type: ignore[arg-type]

    with httpx2.Client(timeout=300.0) as http:
        _remove(http, url, model, photos[0])
    begin = time.perf_counter()
    clients = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    whole = time.perf_counter() - begin
    if not seconds:
        raise RuntimeError(f"{url} answered none of {len(photos)} requests")
    p50, p99 = np.percentile(seconds, [50, 99])
    return Load(len(seconds) / whole, float(p50), float(p99), len(failed))


def _remove(http: httpx2.Client, url: str, model: str, photo: bytes) -> int:
    fields = {"model": model} if model else {}
    return http.post(f"{url}/api/remove", files={"file": ("photo.jpg", photo)}, data=fields).status_code
