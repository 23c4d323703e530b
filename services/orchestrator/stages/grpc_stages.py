"""The stages as the pipeline sees them: arrays in, arrays out, with what ran and how long; gRPC stays in here.

Segmentation and mesher raise the errors of `services.common.errors`. Depth never raises: whatever goes wrong with it is
an outcome (DESIGN: degradation is a result, not an accident).
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field

import grpc
import grpc.aio
import numpy as np

from services.common.arrays import RGB, RGBA, Alpha, InverseDepth
from services.common.calling.channels import open_aio_channel
from services.common.calling.renewing_channels import Renewal
from services.common.errors import (
    DeadlineExceeded,
    Internal,
    InvalidImage,
    InvalidOption,
    ModelMissing,
    NoSubject,
    Overloaded,
    StageUnavailable,
    UnflatError,
)
from services.common.rpc_errors import from_rpc_error
from services.common.serving.interceptors import current_request_id
from services.common.serving.priority import priority_metadata
from services.common.telemetry import metrics, tracing
from services.common.telemetry.logs import REQUEST_ID_KEY
from services.common.tls import Identity
from services.common.wire import alpha_from_proto, depth_from_proto, depth_to_proto, image_to_proto
from services.orchestrator.settings import STAGE_CALLS
from services.orchestrator.stages.bulkhead import Bulkhead
from services.orchestrator.stages.circuit_breaker import Breaker
from unflat.v1 import (
    common_pb2,
    depth_pb2,
    depth_pb2_grpc,
    mesher_pb2,
    mesher_pb2_grpc,
    orchestrator_pb2,
    segmentation_pb2,
    segmentation_pb2_grpc,
    status_pb2,
    status_pb2_grpc,
)

SEGMENTATION, DEPTH, MESHER = "segmentation", "depth", "mesher"
STANDARD = depth_pb2.DEPTH_QUALITY_STANDARD
Outcome = orchestrator_pb2.Outcome

_STATUS_WAIT_S = 2.0
_UNREADABLE = "answered bytes that are not the message of this version"  # gRPC's aio calls return None for such
# What says nothing about the stage's health: the caller's faults, and a stage that is up and says that it is busy.
_NOT_COUNTED = (InvalidImage, InvalidOption, NoSubject, Overloaded, ModelMissing)
_NOT_COUNTED_CODES = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.CANCELLED)  # also where others answer for it
_FAIR_S = 5.0  # a call that was given less and ran out of it says more about its caller's hurry than about the stage


@dataclass(frozen=True)
class Segmented:
    """What segmentation says: masks (H, W) float32 in [0, 1]; the raw one only where it was asked to explain."""

    alpha: Alpha
    raw_alpha: Alpha | None
    receipt: orchestrator_pb2.StageReceipt


@dataclass(frozen=True)
class DepthAnswer:
    """What became of depth: the map, or None and the outcome that says why."""

    depth: InverseDepth | None
    receipt: orchestrator_pb2.StageReceipt


@dataclass(frozen=True)
class Meshed:
    """A mesh file and how good it looks."""

    data: bytes
    format: mesher_pb2.MeshFormat
    quality: mesher_pb2.MeshQuality
    receipt: orchestrator_pb2.StageReceipt


@dataclass(frozen=True)
class MeshJob:
    """What the mesher is asked for."""

    frame: RGBA
    depth: InverseDepth | None
    focal_px: float
    cx: float
    cy: float
    options: mesher_pb2.MeshOptions = field(default_factory=mesher_pb2.MeshOptions)


class StageChannel:
    """A channel to one stage with its breaker.

    Args:
        stage: short name.
        address: host:port, or dns:///name:port for several replicas.
        identity: of the orchestrator, where stages want TLS.
        places: calls under way at the same time.
    """

    def __init__(self, stage: str, address: str, identity: Identity | None = None, places: int = STAGE_CALLS) -> None:
        self.stage = stage
        self.address = address
        self._renewal = Renewal(identity)
        self.channel = open_aio_channel(address, self._renewal)
        self.breaker = Breaker(stage)
        self.bulkhead = Bulkhead(stage, places)
        self._last_reason = ""
        metrics.expect_calls(stage)

    async def status(self) -> orchestrator_pb2.StageStatus:
        """Ask the stage how it is."""
        answer = orchestrator_pb2.StageStatus(stage=self.stage, address=self.address, breaker=self.breaker.state)
        try:
            stub = status_pb2_grpc.StatusServiceStub(self.channel)
            said = await stub.GetServiceStatus(status_pb2.GetServiceStatusRequest(), timeout=_STATUS_WAIT_S)
        except grpc.RpcError as problem:
            answer.serving = orchestrator_pb2.SERVING_UNREACHABLE
            answer.reason = from_rpc_error(problem, self.stage).message
            return answer
        answer.serving = orchestrator_pb2.SERVING_SERVING if said.serving else orchestrator_pb2.SERVING_NOT_SERVING
        answer.reason, answer.backend, answer.device = said.reason, said.backend, said.device
        return answer

    @contextmanager
    def watched(self, timeout_s: float) -> Iterator[None]:
        """Turn errors of the wire into ours, and let the breaker know how the body ended.

        Args:
            timeout_s: what the call is given.

        Raises:
            StageUnavailable: the breaker is open; the body has not run.
            UnflatError: what the call ended with.
        """
        if not self.breaker.allows():
            metrics.STAGE_CALLS.labels(self.stage, metrics.BREAKER_REFUSED).inc()
            raise StageUnavailable(
                f"{self.stage} failed repeatedly and is left alone for a few seconds; its last failure: "
                f"{self._last_reason}"
            )
        if self.breaker.state == "half-open":
            # It may have been scaled to nothing and be back: a channel whose name had no address asks DNS again only
            # after up to two minutes (measured: gaps of 1 s that grow by 1.6), a new one does at once.
            self._renewal.ask()
        metrics.STAGE_DEMAND.labels(self.stage).inc()
        counted, result = False, metrics.CANCELLED
        try:
            with tracing.span(f"call {self.stage}", kind="client"):
                yield
            self.breaker.succeeded()
            counted, result = True, "OK"
        except grpc.RpcError as problem:
            error = from_rpc_error(problem, self.stage)
            result = error.reason
            hurried = isinstance(error, DeadlineExceeded) and timeout_s < _FAIR_S
            innocent = isinstance(error, _NOT_COUNTED) or problem.code() in _NOT_COUNTED_CODES
            if not innocent and not hurried:
                self.failed(error.message)
                counted = True
            raise error from None
        finally:
            metrics.STAGE_DEMAND.labels(self.stage).dec()
            metrics.STAGE_CALLS.labels(self.stage, result).inc()
            if not counted:
                self.breaker.release_probe()

    def failed(self, reason: str) -> None:
        """Count a failure of the stage, and remember why."""
        self._last_reason = reason
        self.breaker.failed()

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Return the metadata of a call: the request id and the trace go along."""
        return ((REQUEST_ID_KEY, current_request_id()), *priority_metadata(), *tracing.headers())


class SegmentationStage:
    """Calls the segmentation service."""

    def __init__(self, channel: StageChannel) -> None:
        self.channel = channel
        self._stub = segmentation_pb2_grpc.SegmentationServiceStub(channel.channel)

    async def segment(
        self, rgb: RGB, options: segmentation_pb2.RefineOptions, timeout_s: float, *, explain: bool, model: str = ""
    ) -> Segmented:
        """Return the mask of a working image, with `explain` also what it was refined from.

        Raises:
            UnflatError: NoSubject, Overloaded, StageUnavailable, DeadlineExceeded or Internal.
        """
        begin = time.perf_counter()
        request = segmentation_pb2.SegmentRequest(
            image=image_to_proto(rgb), options=options, explain=explain, model=model
        )
        async with self.channel.bulkhead.place(timeout_s, wait=True) as left_s:
            with self.channel.watched(left_s):
                answer = await self._stub.Segment(request, timeout=left_s, metadata=self.channel.metadata())
        if answer is None:
            raise Internal(f"{SEGMENTATION} {_UNREADABLE}")
        alpha = _read_mask(answer.mask, rgb.shape[:2])
        raw_alpha = _read_mask(answer.raw_mask, rgb.shape[:2]) if answer.HasField("raw_mask") else None
        receipt = stage_receipt(SEGMENTATION, Outcome.OUTCOME_OK, report=answer.report, begin=begin)
        return Segmented(alpha, raw_alpha, receipt)


class DepthStage:
    """Calls the depth service; answers with an outcome, never with an error."""

    def __init__(self, channel: StageChannel) -> None:
        self.channel = channel
        self._stub = depth_pb2_grpc.DepthServiceStub(channel.channel)

    async def estimate(self, rgb: RGB, timeout_s: float, quality: depth_pb2.DepthQuality = STANDARD) -> DepthAnswer:
        """Return the depth of a working image, or why there is none."""
        begin = time.perf_counter()
        request = depth_pb2.EstimateDepthRequest(image=image_to_proto(rgb), quality=quality)
        try:
            async with self.channel.bulkhead.place(timeout_s, wait=False) as left_s:
                with self.channel.watched(left_s):
                    answer = await self._stub.EstimateDepth(request, timeout=left_s, metadata=self.channel.metadata())
        except UnflatError as problem:
            outcome = Outcome.OUTCOME_TIMEOUT if isinstance(problem, DeadlineExceeded) else Outcome.OUTCOME_UNAVAILABLE
            if isinstance(problem, Overloaded):
                return no_depth(outcome, f"depth is overloaded: {problem.message}", begin)
            return no_depth(outcome, problem.message, begin)
        if answer is None:
            return no_depth(Outcome.OUTCOME_INVALID, f"{DEPTH} {_UNREADABLE}", begin)
        try:
            depth = depth_from_proto(answer.depth)
        except InvalidImage as problem:
            return no_depth(Outcome.OUTCOME_INVALID, problem.message, begin)
        reason = why_invalid(depth, rgb)
        if reason:
            return no_depth(Outcome.OUTCOME_INVALID, reason, begin)
        return DepthAnswer(depth, stage_receipt(DEPTH, Outcome.OUTCOME_OK, report=answer.report, begin=begin))

    def record_timeout(self) -> None:
        """Count an answer that was too slow to be waited for: a stage that hangs is left alone, too."""
        self.channel.failed("it was too slow to be waited for")


class NoDepthStage:
    """Stands where no depth service is configured."""

    channel = None

    async def estimate(self, rgb: RGB, timeout_s: float, quality: depth_pb2.DepthQuality = STANDARD) -> DepthAnswer:
        """Answer DISABLED at once."""
        del rgb, timeout_s, quality
        return no_depth(Outcome.OUTCOME_DISABLED, "no depth service is configured (--depth-address)")

    def record_timeout(self) -> None:
        """Do nothing: it answers at once."""


class MesherStage:
    """Calls the mesher service."""

    def __init__(self, channel: StageChannel) -> None:
        self.channel = channel
        self._stub = mesher_pb2_grpc.MesherServiceStub(channel.channel)

    async def mesh(self, job: MeshJob, timeout_s: float) -> AsyncIterator[mesher_pb2.StageProgress | Meshed]:
        """Yield progress, then the mesh.

        A replica that goes while it works takes its stream along, and gRPC retries only what has not begun to answer:
        the work begins anew, once.

        Raises:
            UnflatError: Overloaded, StageUnavailable, DeadlineExceeded or Internal.
        """
        begin, left_s, has_begun = time.perf_counter(), timeout_s, False
        for is_last in (False, True):
            try:
                async with aclosing(self._mesh(job, left_s, begin)) as events:
                    async for event in events:
                        has_begun = True
                        yield event
            except StageUnavailable:
                left_s = timeout_s - (time.perf_counter() - begin)
                if is_last or not has_begun or left_s <= 0:
                    raise
            else:
                return

    async def _mesh(
        self, job: MeshJob, timeout_s: float, begin: float
    ) -> AsyncGenerator[mesher_pb2.StageProgress | Meshed, None]:
        request = mesher_pb2.MesherServiceGenerateMeshRequest(
            frame=image_to_proto(job.frame),
            depth=None if job.depth is None else depth_to_proto(job.depth),
            camera=mesher_pb2.Camera(focal_px=job.focal_px, cx=job.cx, cy=job.cy),
            options=job.options,
        )
        async with self.channel.bulkhead.place(timeout_s, wait=True) as left_s:
            with self.channel.watched(left_s):
                call = self._stub.GenerateMesh(request, timeout=left_s, metadata=self.channel.metadata())
                async for event in call:
                    if event is None:
                        raise Internal(f"{MESHER} {_UNREADABLE}")
                    if event.HasField("progress"):
                        yield event.progress
                        continue
                    found = event.result
                    receipt = stage_receipt(MESHER, Outcome.OUTCOME_OK, report=found.report, begin=begin)
                    yield Meshed(found.mesh, found.format, found.quality, receipt)


def _read_mask(message: common_pb2.Image, shape: tuple[int, ...]) -> Alpha:
    """Return a mask of segmentation; what makes no sense is the stage's fault, never the caller's."""
    try:
        mask = alpha_from_proto(message)
    except InvalidImage as problem:
        raise Internal(f"{SEGMENTATION} answered a mask that is none: {problem.message}") from None
    if mask.shape != shape:
        raise Internal(f"{SEGMENTATION} answered {mask.shape[1]} × {mask.shape[0]} px for {shape[1]} × {shape[0]}")
    return mask


def stage_receipt(
    stage: str,
    outcome: orchestrator_pb2.Outcome,
    reason: str = "",
    report: common_pb2.StageReport | None = None,
    begin: float | None = None,
) -> orchestrator_pb2.StageReceipt:
    """Return what the receipt says of one stage, and count its outcome."""
    metrics.STAGE_OUTCOMES.labels(stage, Outcome.Name(outcome).removeprefix("OUTCOME_")).inc()
    total = 0.0 if begin is None else time.perf_counter() - begin
    transport = 0.0
    if report is not None:
        t = report.timings
        transport = max(0.0, total - t.queue_s - t.preprocess_s - t.compute_s - t.postprocess_s)
        seconds = metrics.PHASE_SECONDS.labels(stage, "transport", report.backend, report.device, "OK")
        metrics.observe(seconds, transport)
    return orchestrator_pb2.StageReceipt(
        stage=stage, outcome=outcome, reason=reason, report=report, total_s=total, transport_s=transport
    )


def no_depth(outcome: orchestrator_pb2.Outcome, reason: str, begin: float | None = None) -> DepthAnswer:
    """Return the answer that there is no depth, and why."""
    return DepthAnswer(None, stage_receipt(DEPTH, outcome, reason, begin=begin))


def why_invalid(depth: InverseDepth, rgb: RGB) -> str:
    """Return why `depth` cannot be the depth of `rgb`, or an empty string."""
    if depth.shape != rgb.shape[:2]:
        return f"depth is {depth.shape[1]} × {depth.shape[0]} px, the photo {rgb.shape[1]} × {rgb.shape[0]}"
    if not np.isfinite(depth).all():
        return f"{np.mean(~np.isfinite(depth)):.0%} of the depth values are not finite"
    if depth.min() == depth.max():
        return "every depth value is the same"
    return ""
