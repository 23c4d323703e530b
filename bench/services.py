"""What going through real services costs beside the work: serialisation, transport and queueing."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from bench.memory import resident_mb
from bench.section import Section
from bench.timing import spread
from services.cli.local_services import LocalServices, LocalServicesOptions
from services.common.client import Client
from services.common.options import MaskOptions
from unflat.v1 import orchestrator_pb2 as pb

TARGET_OVERHEAD_MS = 20


def time_services(photo: Path, requests: int) -> Section:
    """Send `requests` requests one after the other with the embedded backends, after two that do not count."""
    data = photo.read_bytes()
    whole, hop, overhead = [], [], []
    stages: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as empty_store:
        begin = time.perf_counter()
        environment = {"UNFLAT_MODELS": empty_store, "UNFLAT_ORCHESTRATOR_CACHE_MB": "0"}  # one photo, again and again
        with LocalServices(LocalServicesOptions(environment=environment)) as stack:
            start = time.perf_counter() - begin
            with Client(stack.address) as client:
                for number in range(requests + 2):
                    begin = time.perf_counter()
                    receipt = client.generate_mesh(data, mask=MaskOptions(depth=False)).receipt
                    wall = time.perf_counter() - begin
                    if number < 2:
                        continue
                    costs = {stage.stage: _overhead(stage) for stage in receipt.stages if stage.report.backend}
                    for name, cost in costs.items():
                        stages.setdefault(name, []).append(cost)
                    whole.append(wall)
                    hop.append(wall - receipt.total_s)
                    overhead.append(wall - receipt.total_s + sum(costs.values()))
            memory = {name: resident_mb(process.popen.pid) for name, process in stack.processes.items()}
    rows = [
        ("start of all services, from nothing to serving", f"{start * 1e3:.0f}"),
        ("whole request", spread(whole).ms()),
        ("caller ↔ orchestrator, serialisation and transport", spread(hop).ms()),
        *((f"orchestrator ↔ {name}, with queueing", spread(values).ms()) for name, values in stages.items()),
        (f"**all serialisation, transport and queueing** (aim: {TARGET_OVERHEAD_MS})", f"**{spread(overhead).ms()}**"),
    ]
    resident = ", ".join(f"{name} {mb:.0f} MB" for name, mb in memory.items())
    return Section(
        title="Through services",
        method=f"{requests} mesh requests of one megapixel one after the other, services as processes, embedded "
        "backends, no depth; milliseconds as above.",
        columns=("what", "ms"),
        rows=tuple(rows),
        notes=(f"Resident memory at the end: {resident}.",),
    )


def _overhead(stage: pb.StageReceipt) -> float:
    return stage.transport_s + stage.report.timings.queue_s
