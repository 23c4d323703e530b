"""What the way through real services costs beside the work: serialisation, transport and queueing."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.timing import Spread, spread
from services.cli.stack import LocalStack, StackOptions
from services.common.client import MaskWishes, UnflatClient
from unflat.v1 import orchestrator_pb2 as pb


@dataclass(frozen=True)
class ServiceTimes:
    """Times of one-megapixel mesh requests through segmentation, mesher and orchestrator as processes.

    Attributes:
        start: all services from nothing to serving.
        whole: a request as its caller sees it.
        client_hop: the caller's wall time less the orchestrator's own.
        stage_overhead: by stage: wire and queue, as the orchestrator saw them.
        overhead: all of a request's serialisation, transport and queueing together.
        resident_mb: memory at the end, by process.
    """

    start: float
    whole: Spread
    client_hop: Spread
    stage_overhead: dict[str, Spread]
    overhead: Spread
    resident_mb: dict[str, float]


def time_services(photo: Path, requests: int) -> ServiceTimes:
    """Send `requests` requests one after the other with the embedded backends, after two that do not count."""
    data = photo.read_bytes()
    whole, hop, overhead = [], [], []
    stages: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as empty_store:
        begin = time.perf_counter()
        environment = {"UNFLAT_MODELS": empty_store, "UNFLAT_ORCHESTRATOR_RECALL_MB": "0"}  # one photo, again and again
        with LocalStack(StackOptions(environment=environment)) as stack:
            start = time.perf_counter() - begin
            with UnflatClient(stack.address) as client:
                for number in range(requests + 2):
                    begin = time.perf_counter()
                    receipt = client.generate_mesh(data, mask=MaskWishes(depth=False)).receipt
                    wall = time.perf_counter() - begin
                    if number < 2:
                        continue
                    costs = {stage.stage: _overhead(stage) for stage in receipt.stages if stage.report.backend}
                    for name, cost in costs.items():
                        stages.setdefault(name, []).append(cost)
                    whole.append(wall)
                    hop.append(wall - receipt.total_s)
                    overhead.append(wall - receipt.total_s + sum(costs.values()))
            memory = {name: _resident_mb(process.popen.pid) for name, process in stack.processes.items()}
    by_stage = {name: spread(values) for name, values in stages.items()}
    return ServiceTimes(start, spread(whole), spread(hop), by_stage, spread(overhead), memory)


def _overhead(stage: pb.StageReceipt) -> float:
    return stage.transport_s + stage.report.timings.queue_s


def _resident_mb(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
    except (OSError, ValueError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
