"""Every metric of every service, in base units. `docs/metrics.md` is the table a test holds against this file."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics, start_http_server

from services.common.backends.gpu_memory import find_gpus
from services.common.telemetry.tracing import exemplar
from services.common.version import VERSION

# Milliseconds of a resize to minutes of a mesh at 1024 on a small machine.
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)

# What a call to a stage may end with beside the reasons of `errors.py`.
BREAKER_REFUSED, CANCELLED = "BREAKER_OPEN", "CANCELLED"
# Nobody worked on the call for lack of replicas: what a scaler counts as unmet demand.
MISSED = ("STAGE_UNAVAILABLE", "OVERLOADED", BREAKER_REFUSED)

PHASE_SECONDS = Histogram(
    "unflat_phase_seconds",
    "Time of one phase (queue, preprocess, compute, postprocess, transport) of one stage.",
    ["stage", "phase", "backend", "device", "outcome"],
    buckets=SECONDS,
)
REQUEST_SECONDS = Histogram(
    "unflat_request_seconds", "Time of a whole call, by method and status.", ["method", "code"], buckets=SECONDS
)
STEP_SECONDS = Histogram(
    "unflat_step_seconds",
    "Time of one step of the orchestrator's own, e.g. decode or cutout.",
    ["step"],
    buckets=SECONDS,
)
IN_FLIGHT = Gauge("unflat_in_flight", "Calls that compute at the moment.", ["stage"])
QUEUED = Gauge("unflat_queued", "Calls that wait for their turn.", ["stage"])
CONCURRENCY_LIMIT = Gauge("unflat_concurrency_limit", "Calls that may compute side by side.", ["stage"])
QUEUE_LIMIT = Gauge("unflat_queue_limit", "Calls that may wait; beyond it they are refused.", ["stage"])
ADMITTED = Counter("unflat_admitted_total", "Calls that got their turn.", ["stage"])
SHED = Counter("unflat_shed_total", "Calls refused at once because the queue was full.", ["stage"])
ABANDONED = Counter("unflat_abandoned_total", "Calls cancelled or expired before they were done.", ["stage", "where"])
BATCH_SIZE = Histogram(
    "unflat_batch_size",
    "Pictures that went through a network at once, where a stage batches.",
    ["stage"],
    buckets=(1, 2, 4, 8, 16, 32, 64),
)
MODEL_LOAD_SECONDS = Gauge("unflat_model_load_seconds", "Load and warm-up of the model.", ["stage"])
MODEL_INFO = Gauge(
    "unflat_model_info",
    "1, with what is loaded as labels; digest is the first 12 digits of the weights' sha256.",
    ["stage", "backend", "device", "dtype", "digest", "licence"],
)
MODEL_BYTES = Gauge(
    "unflat_model_bytes", "Memory that a loaded model is counted with against the budget.", ["stage", "backend"]
)
MODEL_EVICTIONS = Counter(
    "unflat_model_evictions_total", "Models that left memory to make room for another one.", ["stage"]
)
SERVING = Gauge("unflat_serving", "1 while the service answers, 0 while it says NOT_SERVING.", ["stage"])
GPU_MEMORY_BYTES = Gauge(
    "unflat_gpu_memory_bytes",
    "Memory of a GPU that this process sees, by kind: total, used (by anybody).",
    ["gpu", "kind"],
)
CERTIFICATE_EXPIRES = Gauge(
    "unflat_certificate_expires_timestamp_seconds",
    "When the certificate of this process expires; 0 where there is none, 1 where peers refuse it.",
)
BUILD_INFO = Gauge("unflat_build_info", "1, with the version as a label.", ["version"])

STAGE_OUTCOMES = Counter(
    "unflat_stage_outcomes_total",
    "Answers by what became of a stage: OK, DISABLED, UNAVAILABLE, TIMEOUT, INVALID, SUPPLIED.",
    ["stage", "outcome"],
)
STAGE_CALLS = Counter(
    "unflat_stage_calls_total",
    "Calls of the orchestrator to a stage by how they ended: OK, CANCELLED, BREAKER_OPEN (not tried), or an error.",
    ["stage", "result"],
)
STAGE_DEMAND = Gauge(
    "unflat_stage_demand", "Calls of the orchestrator to the stage, queued there or computing.", ["stage"]
)
BREAKER_OPEN = Gauge("unflat_breaker_open", "1 while calls to the stage are not even tried.", ["stage"])
ANSWERS = Counter(
    "unflat_answers_total", "Answers of the orchestrator; degraded: a stage was asked and missing.", ["degraded"]
)
DEGRADED = Counter(
    "unflat_degraded_total",
    "Answers made without a stage, by reason: UNAVAILABLE, TIMEOUT, INVALID.",
    ["stage", "reason"],
)
CACHE_HITS = Counter("unflat_cache_hits_total", "Answers of a stage taken from the orchestrator's cache.", ["stage"])
CACHE_BYTES = Gauge("unflat_cache_bytes", "Bytes of a stage's answers in the orchestrator's cache.", ["stage"])
MESH_THICKNESS = Histogram(
    "unflat_mesh_thickness_ratio",
    "Smallest over largest extent of the meshes handed out.",
    buckets=(0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0),
)
MESH_SILHOUETTE_IOU = Histogram(
    "unflat_mesh_silhouette_iou_ratio",
    "Overlap of the meshes handed out, seen through the camera, with their cutouts.",
    buckets=(0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 1.0),
)
MESHES = Counter(
    "unflat_meshes_total",
    "Meshes handed out; flat: no, yes, or truly (so is the subject); retry: none, or taken or refused.",
    ["flat", "watertight", "retry"],
)
DECODE_REFUSED = Counter("unflat_decode_refused_total", "Pictures that could not be used.", ["reason"])


def observe(histogram: Histogram, value: float) -> None:
    """Count `value`, with the trace it belongs to as an exemplar where requests are traced."""
    histogram.observe(value, exemplar())


def expect_calls(stage: str) -> None:
    """Show what `stage` is wanted for as 0 from the start: neither a scaler nor `rate` sees a series begin."""
    STAGE_DEMAND.labels(stage).set(0)
    for result in ("OK", *MISSED):
        STAGE_CALLS.labels(stage, result)
    BREAKER_OPEN.labels(stage).set(0)


def show_limits(stage: str, concurrency: int, queue: int) -> None:
    """Show how much `stage` takes at once, and its refusals as 0 from the start."""
    CONCURRENCY_LIMIT.labels(stage).set(concurrency)
    QUEUE_LIMIT.labels(stage).set(queue)
    SHED.labels(stage)
    ADMITTED.labels(stage)


def start_metrics(port: int, host: str) -> int:
    """Serve /metrics on `port` (0 takes a free one, -1 none) and return the port in use, or -1."""
    disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series beside each counter, which nobody reads
    BUILD_INFO.labels(VERSION).set(1)
    for gpu in find_gpus():
        GPU_MEMORY_BYTES.labels(str(gpu.index), "total").set_function(gpu.total_bytes)
        GPU_MEMORY_BYTES.labels(str(gpu.index), "used").set_function(gpu.used_bytes)
    if port < 0:
        return -1
    server, _ = start_http_server(port, addr=host)
    return int(server.server_port)
