"""One call to a compute stage: its deadline, its phases, its report."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Literal

import grpc

from services.common.backends.backend_info import BackendInfo
from services.common.errors import DeadlineExceeded, UnflatError
from services.common.serving.admission import Admission
from services.common.serving.priority import read_priority
from services.common.telemetry import metrics, tracing
from unflat.v1 import common_pb2

Phase = Literal["queue", "preprocess", "compute", "postprocess"]

_FOREVER_S = 1e9  # a call without a deadline reports 9.2e18 s, which overflows when forwarded


class CallAbandonedError(Exception):
    """The caller cancelled: nobody reads an answer."""


class StageCall:
    """Follows one call through its phases; `with call.phase("compute"): …`.

    Args:
        stage: name for the metrics.
        context: the gRPC context of the call.
    """

    def __init__(self, stage: str, context: grpc.ServicerContext) -> None:
        self._stage = stage
        self._context = context
        self._seconds: dict[Phase, float] = {}
        self._backend: BackendInfo | None = None
        self._trace = tracing.here()  # phases may run in a thread of their own

    def check(self) -> None:
        """Stop here if there is nobody to answer or no time left; call it between steps.

        Raises:
            CallAbandonedError: the caller left.
            DeadlineExceeded: the time ran out.
        """
        if self.remaining_s() <= 0:
            metrics.ABANDONED.labels(self._stage, "expired").inc()
            raise DeadlineExceeded(f"{self._stage} ran out of the time that the caller gave")
        if not self._context.is_active():
            metrics.ABANDONED.labels(self._stage, "cancelled").inc()
            raise CallAbandonedError

    def remaining_s(self) -> float:
        """Seconds until the deadline; a large number where there is none."""
        left = self._context.time_remaining()
        return _FOREVER_S if left is None else min(float(left), _FOREVER_S)

    @contextmanager
    def admitted(self, admission: Admission) -> Iterator[None]:
        """Wait for a turn at `admission`, counted as the queue phase."""
        self._context.add_callback(admission.wake)
        with ExitStack() as place:
            with tracing.span("queue", parent=self._trace):
                self._seconds["queue"] = place.enter_context(self._turn_at(admission))
            yield

    def _turn_at(self, admission: Admission) -> AbstractContextManager[float]:
        priority = read_priority(self._context.invocation_metadata())
        return admission.admit(self.check, priority, self.remaining_s())

    @contextmanager
    def phase(self, name: Phase) -> Iterator[None]:
        """Time the body as `name`; looks for cancellation before it begins."""
        self.check()
        begin = time.perf_counter()
        try:
            with tracing.span(name, parent=self._trace):
                yield
        finally:
            self._seconds[name] = self._seconds.get(name, 0.0) + time.perf_counter() - begin

    def served_by(self, backend: BackendInfo) -> None:
        """Say which backend works on this call."""
        self._backend = backend

    def report(self, notes: Sequence[str] = ()) -> common_pb2.StageReport:
        """Return what ran and how long each phase took.

        Args:
            notes: of this call; those of the backend go before them.
        """
        backend = self._backend
        timings = common_pb2.PhaseTimings(**{f"{phase}_s": seconds for phase, seconds in self._seconds.items()})
        return common_pb2.StageReport(
            backend=backend.name if backend else "",
            device=backend.device if backend else "",
            dtype=backend.dtype if backend else "",
            model_digest=backend.digest if backend else "",
            licence=backend.licence if backend else "",
            timings=timings,
            notes=[*(backend.notes if backend else ()), *notes],
        )

    def observe(self, outcome: str) -> None:
        """Put the phases into the histograms."""
        backend, device = (self._backend.name, self._backend.device) if self._backend else ("", "")
        tracing.describe(backend=backend, device=device, outcome=outcome)
        for phase, seconds in self._seconds.items():
            metrics.observe(metrics.PHASE_SECONDS.labels(self._stage, phase, backend, device, outcome), seconds)


@contextmanager
def stage_call(stage: str, context: grpc.ServicerContext) -> Iterator[StageCall]:
    """Follow one call and observe its phases under the outcome it ends with."""
    call = StageCall(stage, context)
    outcome = "INTERNAL"
    try:
        yield call
        outcome = "OK"
    except UnflatError as problem:
        outcome = problem.reason
        raise
    except CallAbandonedError:
        outcome = "CANCELLED"
        raise
    finally:
        call.observe(outcome)
