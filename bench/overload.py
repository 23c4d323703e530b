"""Ten times more requests than fit: how fast the refused hear of it, and what the accepted pay.

Requests come at their own pace (an open loop), ten times as many a second as the orchestrator finishes with all its
places taken; a queue as long as the places keeps an accepted request within twice its usual time. One place leaves
a core for the sender where there are two.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import cv2
import grpc
import numpy as np
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bench.section import Section
from services.cli.local_services import LocalServices, LocalServicesOptions
from services.common.client import Client
from services.common.errors import Overloaded
from services.common.options import CutoutOptions, MaskOptions

PLACES, QUEUE = 1, 1
TIMES = 10
SECONDS = 10.0
UNLOADED = 100  # requests that tell what is usual
_KINDS = ("unloaded", "accepted", "refused")
CALLERS = 64  # threads that send; each waits for its answer


@dataclass(frozen=True)
class Overload:
    """What came of it; times in seconds."""

    capacity_per_s: float
    offered_per_s: float
    unloaded: list[float]
    accepted: list[float]
    refused: list[float]
    health: set[int]


def overload(store: str) -> Overload:
    """Measure the usual time of a small cutout, then send ten times too many."""
    environment = {
        "UNFLAT_MODELS": store,
        "UNFLAT_THREADS": "1",
        "UNFLAT_SEGMENTATION_CONCURRENCY": str(PLACES),
        "UNFLAT_ORCHESTRATOR_CONCURRENCY": str(PLACES),
        "UNFLAT_ORCHESTRATOR_QUEUE": str(QUEUE),
        "UNFLAT_ORCHESTRATOR_CACHE_MB": "0",
    }
    photo = small_photo(0)
    options = LocalServicesOptions(environment=environment, without=("depth",))
    with LocalServices(options) as stack, Client(stack.address) as client:

        def send() -> tuple[bool, float]:
            begin = time.perf_counter()
            try:
                client.remove_background(photo, mask=MaskOptions(preset="fast", depth=False), cutout=CutoutOptions())
            except Overloaded:
                return False, time.perf_counter() - begin
            return True, time.perf_counter() - begin

        for _ in range(10):
            send()
        with ThreadPoolExecutor(PLACES) as pool:
            begin = time.perf_counter()
            unloaded = [seconds for _, seconds in pool.map(lambda _: send(), range(UNLOADED))]
            capacity = UNLOADED / (time.perf_counter() - begin)
        done = threading.Event()
        health: set[int] = set()
        watcher = threading.Thread(target=_watch, args=(stack.address, health, done))
        watcher.start()
        answers = _send_steadily(send, TIMES * capacity)
        done.set()
        watcher.join()
    accepted = [seconds for taken, seconds in answers if taken]
    refused = [seconds for taken, seconds in answers if not taken]
    return Overload(capacity, len(answers) / SECONDS, unloaded, accepted, refused, health)


def describe_overload(found: Overload) -> Section:
    """Return what came of it as a part of the benchmark page."""
    p50, p99 = ({name: _percentile(found, name, q) for name in _KINDS} for q in (50, 99))
    counts = {"unloaded": len(found.unloaded), "accepted": len(found.accepted), "refused": len(found.refused)}
    serving = found.health == {health_pb2.HealthCheckResponse.SERVING}
    return Section(
        title="Ten times too many requests",
        method=f"Small cutouts, one place and a queue of {QUEUE}: {found.offered_per_s:.0f} requests a second for "
        f"{SECONDS:.0f} s where {found.capacity_per_s:.0f} fit. Aims at the 99th percentile: a refusal within 50 ms, "
        "an accepted request within twice its usual time.",
        columns=("requests", "count", "p50 ms", "p99 ms"),
        rows=tuple((name, str(counts[name]), f"{p50[name]:.0f}", f"{p99[name]:.0f}") for name in _KINDS),
        notes=(
            f"Accepted requests took {p99['accepted'] / p99['unloaded']:.1f} times the usual at the 99th percentile; "
            f"none was lost; health said {'SERVING throughout' if serving else 'something else at times'}.",
        ),
    )


def _percentile(found: Overload, name: str, q: float) -> float:
    return float(np.percentile(getattr(found, name), q)) * 1e3


def _send_steadily(send: Callable[[], tuple[bool, float]], per_s: float) -> list[tuple[bool, float]]:
    with ThreadPoolExecutor(CALLERS) as pool:
        begin, requests = time.perf_counter(), []
        for number in range(int(SECONDS * per_s)):
            time.sleep(max(0.0, begin + number / per_s - time.perf_counter()))
            requests.append(pool.submit(send))
        return [request.result() for request in requests]


def _watch(address: str, health: set[int], done: threading.Event) -> None:
    with grpc.insecure_channel(address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest(service="unflat.v1.OrchestratorService")
        while not done.wait(0.1):
            health.add(int(stub.Check(request, timeout=20).status))


def small_photo(number: int) -> bytes:
    """Return an orange disc on restless blue, 128 × 96 px, never the same twice."""
    random = np.random.default_rng(number)
    y, x = np.mgrid[0:96, 0:128]
    rgb = np.full((96, 128, 3), (160, 90, 60), np.uint8)
    rgb[np.hypot(x - 64 - number % 9, y - 48) < 30] = (40, 60, 200)
    noisy = np.clip(rgb + random.normal(0, 6, rgb.shape), 0, 255).astype(np.uint8)
    return bytes(cv2.imencode(".png", noisy)[1].tobytes())
