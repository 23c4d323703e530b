"""The channel to one stage: a bulkhead and a breaker before it, errors of the wire turned into ours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import grpc
import grpc.aio

from services.common.calling.channels import open_aio_channel
from services.common.calling.renewing_channels import Renewal
from services.common.errors import (
    DeadlineExceeded,
    InvalidImage,
    InvalidOption,
    ModelMissing,
    NoSubject,
    Overloaded,
    StageUnavailable,
)
from services.common.rpc_errors import from_rpc_error
from services.common.serving.interceptors import current_request_id
from services.common.serving.priority import priority_metadata
from services.common.telemetry import metrics, tracing
from services.common.telemetry.logs import REQUEST_ID_KEY
from services.common.tls import Identity
from services.orchestrator.settings import STAGE_CALLS
from services.orchestrator.stages.bulkhead import Bulkhead
from services.orchestrator.stages.circuit_breaker import Breaker
from services.orchestrator.stages.stage_receipts import stage_receipt
from unflat.v1 import common_pb2, status_pb2, status_pb2_grpc
from unflat.v1 import orchestrator_pb2 as pb

UNREADABLE = "answered bytes that are not the message of this version"  # gRPC's aio calls return None for such

_STATUS_WAIT_S = 2.0
# What says nothing about the stage's health: the caller's faults, and a stage that is up and says that it is busy.
_NOT_COUNTED = (InvalidImage, InvalidOption, NoSubject, Overloaded, ModelMissing)
_NOT_COUNTED_CODES = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.CANCELLED)  # also where others answer for it
_FAIR_S = 5.0  # a call that was given less and ran out of it says more about its caller's hurry than about the stage


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

    async def status(self) -> pb.StageStatus:
        """Ask the stage how it is."""
        answer = pb.StageStatus(stage=self.stage, address=self.address, breaker=self.breaker.state)
        try:
            stub = status_pb2_grpc.StatusServiceStub(self.channel)
            said = await stub.GetServiceStatus(status_pb2.GetServiceStatusRequest(), timeout=_STATUS_WAIT_S)
        except grpc.RpcError as problem:
            answer.serving = pb.SERVING_UNREACHABLE
            answer.reason = from_rpc_error(problem, self.stage).message
            return answer
        answer.serving = pb.SERVING_SERVING if said.serving else pb.SERVING_NOT_SERVING
        answer.reason, answer.backend, answer.device = said.reason, said.backend, said.device
        return answer

    @asynccontextmanager
    async def call(self, timeout_s: float, *, wait: bool = True) -> AsyncIterator[float]:
        """Hold a place for one call and watch it; yields what is left of `timeout_s`.

        Args:
            timeout_s: of the call, with the wait for its place.
            wait: False for a stage that can be done without: no place means no call.

        Raises:
            UnflatError: what `Bulkhead.place` and `watched` raise.
        """
        async with self.bulkhead.place(timeout_s, wait=wait) as left_s:
            with self.watched(left_s):
                yield left_s

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
            self.breaker.record_success()
            counted, result = True, "OK"
        except grpc.RpcError as problem:
            error = from_rpc_error(problem, self.stage)
            result = error.reason
            hurried = isinstance(error, DeadlineExceeded) and timeout_s < _FAIR_S
            innocent = isinstance(error, _NOT_COUNTED) or problem.code() in _NOT_COUNTED_CODES
            if not innocent and not hurried:
                self.record_failure(error.message)
                counted = True
            raise error from None
        finally:
            metrics.STAGE_DEMAND.labels(self.stage).dec()
            metrics.STAGE_CALLS.labels(self.stage, result).inc()
            if not counted:
                self.breaker.release_probe()

    def record_failure(self, reason: str) -> None:
        """Count a failure of the stage, and remember why."""
        self._last_reason = reason
        self.breaker.record_failure()

    def answered(self, report: common_pb2.StageReport, begin: float) -> pb.StageReceipt:
        """Return the receipt of a call that was answered, and count its time on the wire."""
        receipt = stage_receipt(self.stage, pb.OUTCOME_OK, report=report, begin=begin)
        seconds = metrics.PHASE_SECONDS.labels(self.stage, "transport", report.backend, report.device, "OK")
        metrics.observe(seconds, receipt.transport_s)
        return receipt

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Return the metadata of a call: the request id and the trace go along."""
        return ((REQUEST_ID_KEY, current_request_id()), *priority_metadata(), *tracing.headers())
