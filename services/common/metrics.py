"""Every metric of every service, in base units. `docs/metrics.md` is the table a test holds against this file."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram, start_http_server

from services.common.version import VERSION

# Milliseconds of a resize to minutes of a mesh at 1024 on a small machine.
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)

PHASE_SECONDS = Histogram(
    "unflat_phase_seconds",
    "Time of one phase (queue, preprocess, compute, postprocess, transport) of one stage.",
    ["stage", "phase", "backend", "device", "outcome"],
    buckets=SECONDS,
)
REQUEST_SECONDS = Histogram(
    "unflat_request_seconds", "Time of a whole call, by method and status.", ["method", "code"], buckets=SECONDS
)
IN_FLIGHT = Gauge("unflat_in_flight", "Calls that compute at the moment.", ["stage"])
QUEUED = Gauge("unflat_queued", "Calls that wait for their turn.", ["stage"])
ADMITTED = Counter("unflat_admitted_total", "Calls that got their turn.", ["stage"])
SHED = Counter("unflat_shed_total", "Calls refused at once because the queue was full.", ["stage"])
ABANDONED = Counter("unflat_abandoned_total", "Calls cancelled or expired before they were done.", ["stage", "where"])
MODEL_LOAD_SECONDS = Gauge("unflat_model_load_seconds", "Load and warm-up of the model.", ["stage"])
MODEL_INFO = Gauge("unflat_model_info", "1, with what is loaded as labels.", ["stage", "backend", "device", "licence"])
SERVING = Gauge("unflat_serving", "1 while the service answers, 0 while it says NOT_SERVING.", ["stage"])
BUILD_INFO = Gauge("unflat_build_info", "1, with the version as a label.", ["version"])

STAGE_OUTCOMES = Counter(
    "unflat_stage_outcomes_total",
    "Answers by what became of a stage: OK, DISABLED, UNAVAILABLE, TIMEOUT, INVALID, SUPPLIED.",
    ["stage", "outcome"],
)
STAGE_DEMAND = Gauge(
    "unflat_stage_demand", "Requests of the orchestrator that want the stage now, answered or not.", ["stage"]
)
BREAKER_OPEN = Gauge("unflat_breaker_open", "1 while calls to the stage are not even tried.", ["stage"])
MESH_THICKNESS = Histogram(
    "unflat_mesh_thickness_ratio",
    "Smallest over largest extent of the meshes handed out.",
    buckets=(0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0),
)
MESHES = Counter("unflat_meshes_total", "Meshes handed out.", ["flat", "watertight", "second_attempt"])
DECODE_REFUSED = Counter("unflat_decode_refused_total", "Pictures that could not be used.", ["reason"])


def start_metrics(port: int, host: str) -> int:
    """Serve /metrics on `port` (0 takes a free one, -1 none) and return the port in use, or -1."""
    BUILD_INFO.labels(VERSION).set(1)
    if port < 0:
        return -1
    server, _ = start_http_server(port, addr=host)
    return int(server.server_port)
