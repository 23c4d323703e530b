"""One request on its way: its budget, its steps' times, its warnings, its receipt."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from services.common.errors import DeadlineExceeded
from services.common.telemetry import metrics, tracing
from services.common.telemetry.logs import get_logger
from services.common.version import VERSION
from unflat.v1 import orchestrator_pb2 as pb

Report = Callable[[pb.Progress], None]
"""Called with each step of the way, from the event loop."""

_HOP_MARGIN_S = 0.1  # what a hop keeps for itself, so that its caller hears the reason before its own time is up
_log = get_logger()


class Run:
    """Follows one request through the pipeline.

    Args:
        request_id: stands in receipt, logs and metadata.
        budget_s: seconds until the caller gives up.
        report: told about progress.
    """

    def __init__(self, request_id: str, budget_s: float, report: Report) -> None:
        self.receipt = pb.Receipt(request_id=request_id, version=VERSION)
        self._begin = time.perf_counter()
        self._deadline = self._begin + budget_s
        self._report = report

    @property
    def elapsed_s(self) -> float:
        """Seconds since the request came in."""
        return time.perf_counter() - self._begin

    @property
    def left_s(self) -> float:
        """Seconds left for the next hop; below 0 where the time is up."""
        return self._deadline - time.perf_counter() - _HOP_MARGIN_S

    def remaining_s(self) -> float:
        """Return the seconds left for the next hop, of which there must be some.

        Raises:
            DeadlineExceeded: none are left.
        """
        left = self.left_s
        if left <= 0:
            raise DeadlineExceeded(f"the request ran out of its time after {self.elapsed_s:.1f} s")
        return left

    def progress(self, stage: str, step: str, fraction: float, preview_png: bytes = b"") -> None:
        """Tell the caller how far it is, 0 to 1 over the whole request; `preview_png` shows the finished mask."""
        event = pb.Progress(
            stage=stage, step=step, fraction=fraction, elapsed_s=self.elapsed_s, preview_png=preview_png
        )
        self._report(event)

    @contextmanager
    def step(self, name: str, fraction: float) -> Iterator[None]:
        """Time a step of the orchestrator's own, and report it as begun."""
        self.remaining_s()
        self.progress("orchestrator", name, fraction)
        begin = time.perf_counter()
        try:
            with tracing.span(name):
                yield
        finally:
            seconds = time.perf_counter() - begin
            self.receipt.steps.append(pb.StepTiming(step=name, seconds=seconds))
            metrics.observe(metrics.STEP_SECONDS.labels(name), seconds)

    def record(self, stage: pb.StageReceipt) -> None:
        """Put what became of a stage on the receipt; anything but OK, DISABLED and SUPPLIED is a degradation."""
        self.receipt.stages.append(stage)
        outcome = pb.Outcome.Name(stage.outcome).removeprefix("OUTCOME_")
        metrics.STAGE_OUTCOMES.labels(stage.stage, outcome).inc()
        if stage.outcome in (pb.OUTCOME_UNAVAILABLE, pb.OUTCOME_TIMEOUT, pb.OUTCOME_INVALID):
            self.receipt.degraded = True
            metrics.DEGRADED.labels(stage.stage, outcome).inc()
            _log.warning("degraded", stage=stage.stage, outcome=outcome, reason=stage.reason)
            self.warn(f"made without {stage.stage}: {stage.reason}")

    def warn(self, sentence: str) -> None:
        """Put a sentence for people on the receipt, once; an empty one is none."""
        if sentence and sentence not in self.receipt.warnings:
            self.receipt.warnings.append(sentence)

    def close(self) -> pb.Receipt:
        """Return the finished receipt."""
        self.receipt.total_s = self.elapsed_s
        metrics.ANSWERS.labels("yes" if self.receipt.degraded else "no").inc()
        return self.receipt
