"""Does `deploy.capacity` predict waits? `python -m bench.capacity_check` loads a stage here and compares.

A stage with an accelerator spends its time waiting for it, so its stub here waits, too: real segmentation services
as processes, with a backend that takes a random time (log-normal) and answers a disc, behind a real orchestrator that
deals calls in turn. Photos arrive at random (Poisson, seeded). Two predictions stand beside each measurement: from
times measured alone before, as a planner has them, and from the times of the same run, which judges the queueing model
by itself.
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import grpc
import numpy as np
from PIL import Image

from bench.timing import describe_machine
from deploy.capacity.plan import StageTimes, stage_waiting
from deploy.capacity.service_times import times_of
from services.common.arrays import RGB
from services.common.calling.channels import server_options
from services.common.client import Client
from services.common.options import CutoutOptions, MaskOptions
from services.common.serving.admission import Admission
from services.common.serving.interceptors import ErrorInterceptor
from services.common.telemetry.logs import configure_logs
from services.segmentation.backends.base import RawMask
from services.segmentation.served_models import ServedModels
from services.segmentation.server import SegmentationServicer
from unflat.v1 import orchestrator_pb2 as pb
from unflat.v1 import segmentation_pb2_grpc

_STAGE = "segmentation"
_SIDE_PX = 64
_CALLERS = 256  # more than ever wait
_SEED = 7
_AGE_S = 3600.0


class StubBackend:
    """Takes a random time, then answers a disc; see `services.segmentation.backends.base.Backend`.

    Args:
        mean_s, cv: of the time.
        seed: of its randomness.
    """

    name, device, dtype, digest, licence = "stub", "none", "float32", "", ""
    notes: tuple[str, ...] = ()
    file_bytes = 0

    def __init__(self, mean_s: float, cv: float, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._sigma = float(np.sqrt(np.log1p(cv**2)))
        self._mu = float(np.log(mean_s) - self._sigma**2 / 2)

    def load(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def segment(self, rgb: RGB) -> RawMask:
        """Wait, and return a disc."""
        time.sleep(float(self._rng.lognormal(self._mu, self._sigma)))
        y, x = np.mgrid[: rgb.shape[0], : rgb.shape[1]]
        disc = np.hypot(x - rgb.shape[1] / 2, y - rgb.shape[0] / 2) < min(rgb.shape[:2]) / 3
        return RawMask(disc.astype(np.float32), 1.0)


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mean", type=float, default=0.15, help="seconds of a call")
    parser.add_argument("--cv", type=float, default=0.5, help="coefficient of variation of it")
    parser.add_argument("--requests", type=int, default=400, help="of each load")
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--loads", type=float, nargs="+", default=[0.5, 0.7], help="utilisations to aim for")
    options = parser.parse_args()
    sys.stdout.write(f"{describe_machine()}; {options.requests} requests a row, cv {options.cv}\n\n")
    sys.stdout.write("| replicas | rate /s | busy | mean ms | alone | same run | 95 % ms | alone | same run |\n")
    sys.stdout.write("|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n")
    for replicas in options.replicas:
        with _stack(replicas, options.mean, options.cv) as client:
            alone = _segmentation(times_of([_ask(client) for _ in range(20 + 2)][2:]))
            for load in options.loads:
                _check(client, alone, replicas, load, options.requests)
    return 0


def _check(client: Client, alone: StageTimes, replicas: int, load: float, requests: int) -> None:
    rate = load * replicas / alone.mean_s
    receipts, seen_rate = _drive(client, rate, requests)
    now = _segmentation(times_of(receipts))
    waits = [stage.report.timings.queue_s for receipt in receipts for stage in receipt.stages if stage.stage == _STAGE]
    measured = (float(np.mean(waits)), float(np.percentile(waits, 95)))
    before, same = stage_waiting(alone, rate, replicas, 1), stage_waiting(now, seen_rate, replicas, 1)
    cells = [str(replicas), f"{seen_rate:.2f}", f"{same.utilisation:.0%}"]
    for seen, *predicted in zip(measured, (before.mean_s, before.p95_s), (same.mean_s, same.p95_s), strict=True):
        cells += [f"{seen * 1e3:.0f}", *(f"{one * 1e3:.0f} ({one / seen - 1:+.0%})" for one in predicted)]
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


def _segmentation(measured: Sequence[StageTimes]) -> StageTimes:
    return replace(next(one for one in measured if one.stage == _STAGE), visits=1.0)


def _ask(client: Client) -> pb.Receipt:
    mask, cutout = MaskOptions(preset="fast", depth=False), CutoutOptions(mask_only=True)
    return client.remove_background(_PHOTO, mask=mask, cutout=cutout).receipt


def _drive(client: Client, rate: float, requests: int) -> tuple[list[pb.Receipt], float]:
    """Send photos at random times, however long answers take; return the receipts and the rate that came about."""
    gaps = np.random.default_rng(_SEED).exponential(1 / rate, requests)
    with ThreadPoolExecutor(_CALLERS) as pool:
        begin = due = time.perf_counter()
        asked = []
        for gap in gaps:
            due += gap
            time.sleep(max(0.0, due - time.perf_counter()))
            asked.append(pool.submit(_ask, client))
        seconds = time.perf_counter() - begin
        return [one.result() for one in asked], requests / seconds


@contextmanager
def _stack(replicas: int, mean_s: float, cv: float) -> Iterator[Client]:
    """Run that many stubs and an orchestrator in front of them."""
    spawn = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        ports = []
        for number in range(replicas):
            ours, theirs = spawn.Pipe()
            process = spawn.Process(target=_serve, args=(theirs, mean_s, cv, number), daemon=True)
            process.start()
            stack.callback(process.join, 10)
            stack.callback(process.kill)
            ports.append(ours.recv())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        address = "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports)
        flags = [f"--segmentation-address={address}", "--depth-address=", "--cache-mb=0", f"--concurrency={_CALLERS}"]
        address_file = folder / "addresses.json"
        flags += [f"--address-file={address_file}", f"--end-with-parent={os.getpid()}", "--log-level=error"]
        orchestrator = subprocess.Popen([sys.executable, "-m", "services.orchestrator", "--drain-s=0", *flags])
        stack.callback(orchestrator.wait, 30)
        stack.callback(orchestrator.terminate)
        while not address_file.exists():
            time.sleep(0.05)
        said = json.loads(address_file.read_text(encoding="utf-8"))
        yield stack.enter_context(Client(said["address"]))


def _serve(pipe: Connection, mean_s: float, cv: float, seed: int) -> None:
    """Be one replica until killed."""
    configure_logs(_STAGE, "error")
    server = grpc.server(
        futures.ThreadPoolExecutor(_CALLERS), interceptors=[ErrorInterceptor()], options=server_options(_AGE_S)
    )
    servicer = SegmentationServicer(ServedModels.only(StubBackend(mean_s, cv, seed)), Admission(_STAGE, 1, _CALLERS))
    segmentation_pb2_grpc.add_SegmentationServiceServicer_to_server(servicer, server)
    pipe.send(server.add_insecure_port("127.0.0.1:0"))
    server.start()
    threading.Event().wait()


def _make_photo() -> bytes:
    y, x = np.mgrid[:_SIDE_PX, :_SIDE_PX]
    disc = np.hypot(x - _SIDE_PX / 2, y - _SIDE_PX / 2) < _SIDE_PX / 3
    picture = np.where(disc[..., None], (200, 60, 40), (150, 160, 170)).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    return out.getvalue()


_PHOTO = _make_photo()


if __name__ == "__main__":
    sys.exit(main())
