"""A job: one request that is followed by its id, not by its connection.

queued → running → done | failed          any → cancelled, and forgotten
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from services.common.client import Progress

Kind = Literal["cutout", "mesh"]
State = Literal["queued", "running", "done", "failed", "cancelled"]
ProblemJson: TypeAlias = dict[str, Any]

RESULT = "result"
"""Under this name the result lies beside the artifacts."""
PREVIEW, CUTOUT, VIEWS = "preview.png", "cutout.png", "views.png"
"""Artifacts beside the orchestrator's debug pictures."""


@dataclass(frozen=True)
class ResultInfo:
    """What came out, without its bytes."""

    media_type: str
    name: str
    bytes: int


@dataclass(frozen=True)
class Job:
    """One job as it is now.

    Attributes:
        owner: the gateway process that runs it.
        created, expires: Unix time in seconds.
        revision: counts the changes.
        fraction: 0 to 1 over the whole.
        error: problem JSON of a failed job.
        artifacts: names of the pictures that are there.
    """

    id: str
    kind: Kind
    owner: str
    created: float
    expires: float
    state: State = "queued"
    revision: int = 0
    stage: str = ""
    step: str = ""
    fraction: float = 0.0
    elapsed_s: float = 0.0
    error: ProblemJson | None = None
    artifacts: tuple[str, ...] = ()
    result: ResultInfo | None = None
    receipt: dict[str, Any] | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ("done", "failed", "cancelled")

    def advanced(self, progress: Progress) -> Job:
        """Return it at a further step."""
        return replace(
            self,
            state="running",
            stage=progress.stage,
            step=progress.step,
            fraction=round(max(self.fraction, progress.fraction), 4),
            elapsed_s=round(progress.elapsed_s, 3),
        )

    def with_artifact(self, name: str) -> Job:
        """Return it with one more picture."""
        return self if name in self.artifacts else replace(self, artifacts=(*self.artifacts, name))

    def done(self, result: ResultInfo, artifacts: tuple[str, ...], receipt: dict[str, Any]) -> Job:
        """Return it finished."""
        return replace(
            self,
            state="done",
            fraction=1.0,
            elapsed_s=round(float(receipt.get("total_s", self.elapsed_s)), 3),
            artifacts=artifacts,
            result=result,
            receipt=receipt,
        )

    def failed(self, error: ProblemJson) -> Job:
        """Return it failed, with the reason."""
        return replace(self, state="failed", error=error)

    def cancelled(self) -> Job:
        """Return it cancelled; what it had made is forgotten."""
        return replace(self, state="cancelled", artifacts=(), result=None)

    def as_json(self) -> dict[str, Any]:
        """Return what callers see."""
        return {
            "id": self.id,
            "kind": self.kind,
            "state": self.state,
            "stage": self.stage,
            "step": self.step,
            "fraction": self.fraction,
            "elapsed_s": self.elapsed_s,
            "error": self.error,
            "artifacts": list(self.artifacts),
            "result": None if self.result is None else asdict(self.result),
            "receipt": self.receipt,
            "created": _moment(self.created),
            "expires": _moment(self.expires),
        }


def to_bytes(job: Job) -> bytes:
    """Return the record of a job, for a store."""
    return json.dumps(asdict(job)).encode()


def from_bytes(record: bytes) -> Job:
    """Return the job of a record."""
    fields = json.loads(record)
    result = fields.pop("result")
    artifacts = tuple(fields.pop("artifacts"))
    return Job(**fields, artifacts=artifacts, result=None if result is None else ResultInfo(**result))


def _moment(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
