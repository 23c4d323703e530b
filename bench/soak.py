"""`make soak`: thousands of small requests, and whether any process keeps more memory than it gives back.

Small photos, each a little different, through the gateway and through gRPC, embedded backends: the work is light, so
that what leaks with every request shows. After a warm-up the resident memory of each process, with its children, must
not grow by more than 2 % over the rest.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.stats import theilslopes

from bench.memory import tree_mb
from bench.overload import describe_overload, overload, small_photo
from services.cli.local_services import LocalServices, LocalServicesOptions
from services.common.client import Client
from services.common.free_ports import free_port
from services.common.options import CutoutOptions, MaskOptions, MeshOptions

MOST_GROWTH = 0.02
WARM_UP = 0.25  # of all requests: pools, caches and allocators find their size
CALLERS = 3
SAMPLES = 100
_BOUNDARY = "soak-boundary"


@dataclass
class Samples:
    """Resident megabytes of each process against requests done."""

    done: list[int] = field(default_factory=list)
    resident_mb: dict[str, list[float]] = field(default_factory=dict)

    def take(self, stack: LocalServices, done: int) -> None:
        """Look at every process once."""
        self.done.append(done)
        for name, process in stack.processes.items():
            self.resident_mb.setdefault(name, []).append(tree_mb(process.popen.pid))

    def growth(self, name: str) -> float:
        """Return by how much a process grew after the warm-up, as a share: Theil and Sen's slope times the span."""
        keep = np.asarray(self.done) >= WARM_UP * self.done[-1]
        x, y = np.asarray(self.done)[keep].astype(float), np.asarray(self.resident_mb[name])[keep]
        return float(theilslopes(y, x).slope) * float(x[-1] - x[0]) / float(np.median(y))


def main() -> int:
    """Run the soak and the overload; 1 where a process grew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--without-overload", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as store:
        samples, seconds = _soak(store, options.requests)
        grown = _print_soak(samples, options.requests, seconds)
        if not options.without_overload:
            print(f"\n{describe_overload(overload(store)).markdown()}")
    return 1 if grown else 0


def _soak(store: str, requests: int) -> tuple[Samples, float]:
    environment = {
        "UNFLAT_MODELS": store,
        "UNFLAT_THREADS": "1",
        "UNFLAT_ORCHESTRATOR_CACHE_MB": "4",  # full within the warm-up: a memory that fills is no leak
    }
    http_port = free_port()
    samples, lock, done = Samples(), threading.Lock(), 0
    with LocalServices(LocalServicesOptions(http_port=http_port, environment=environment)) as stack:
        url = f"http://127.0.0.1:{http_port}/remove-bg"
        with Client(stack.address) as client, ThreadPoolExecutor(CALLERS) as pool:

            def send(number: int) -> None:
                nonlocal done
                _send(client, url, number)
                with lock:
                    done += 1
                    if done % max(1, requests // SAMPLES) == 0:
                        samples.take(stack, done)

            begin = time.perf_counter()
            for finished in [pool.submit(send, number) for number in range(requests)]:
                finished.result()
            return samples, time.perf_counter() - begin


def _send(client: Client, url: str, number: int) -> None:
    photo, mask = small_photo(number), MaskOptions(preset="fast")
    if number % 4 == 0:
        client.generate_mesh(photo, mask=mask, mesh=MeshOptions(resolution=48))
    elif number % 4 == 1:
        _post(url, photo)
    else:
        client.remove_background(photo, mask=mask, cutout=CutoutOptions(mask_only=number % 4 == 2))


def _post(url: str, photo: bytes) -> None:
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'.encode()
    body = head + photo + f"\r\n--{_BOUNDARY}--\r\n".encode()
    request = urllib.request.Request(url, body, {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=120) as answer:
        answer.read()


def _print_soak(samples: Samples, requests: int, seconds: float) -> list[str]:
    """Print a table and return the processes that grew too much."""
    print(f"{requests} requests by {CALLERS} callers in {seconds:.0f} s, none failed\n")
    print("| process | MB after warm-up | MB at the end | growth |\n|---|---:|---:|---:|")
    first = next(i for i, done in enumerate(samples.done) if done >= WARM_UP * requests)
    grown = []
    for name, resident in samples.resident_mb.items():
        growth = samples.growth(name)
        print(f"| {name} | {resident[first]:.0f} | {resident[-1]:.0f} | {growth:+.1%} |")
        if growth > MOST_GROWTH:
            grown.append(name)
    verdict = f"{', '.join(grown)} grew by more" if grown else "none grew by more"
    print(f"\n{verdict} than {MOST_GROWTH:.0%} after the warm-up")
    Path("out").mkdir(exist_ok=True)
    Path("out/soak.json").write_text(json.dumps({"done": samples.done, "resident_mb": samples.resident_mb}))
    return grown


if __name__ == "__main__":
    sys.exit(main())
