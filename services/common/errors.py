"""Every error a person or program can meet, drawn once.

    UnflatError
    ├── InvalidImage        INVALID_ARGUMENT    400   not a picture, broken, too small
    │   └── ImageTooLarge   INVALID_ARGUMENT    413   more pixels or bytes than the limit
    ├── InvalidOption       INVALID_ARGUMENT    422   an option out of range or unknown
    ├── NoSubject           FAILED_PRECONDITION 422   nothing in the picture stands out
    ├── Overloaded          RESOURCE_EXHAUSTED  429   the queue is full; try again after `retry_after_s`
    ├── StageUnavailable    UNAVAILABLE         503   a stage is not reachable or has no model
    │   └── ModelMissing    FAILED_PRECONDITION 503   the model that was named is not here; another try is in vain
    ├── DeadlineExceeded    DEADLINE_EXCEEDED   504   the time ran out
    └── Internal            INTERNAL            500   a defect of ours; the text is fixed

Each message is one sentence: what was seen and what was wanted. This module knows names of statuses only, so that
algorithms may raise these errors without knowing gRPC or HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class UnflatError(Exception):
    """Base of all errors that may reach a caller.

    Args:
        message: one sentence a person can act on.
        field: the request field at fault, where there is one.
        retry_after_s: when another try makes sense, in seconds.
        facts: what a program may want to know beside the sentence, such as the photo's width and height.
    """

    grpc_status: ClassVar[str] = "INTERNAL"
    http_status: ClassVar[int] = 500

    def __init__(
        self,
        message: str,
        *,
        field: str = "",
        retry_after_s: float | None = None,
        facts: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.retry_after_s = retry_after_s
        self.facts = facts or {}

    @property
    def reason(self) -> str:
        """The class name in the form of google.rpc.ErrorInfo: UPPER_SNAKE_CASE."""
        name = type(self).__name__
        return "".join("_" + c if c.isupper() and i else c for i, c in enumerate(name)).upper()


class InvalidImage(UnflatError):
    """The bytes are not a picture we can use."""

    grpc_status = "INVALID_ARGUMENT"
    http_status = 400


class ImageTooLarge(InvalidImage):
    """More pixels or bytes than the limit; refused before decoding."""

    http_status = 413


class InvalidOption(UnflatError):
    """An option is unknown or out of its range."""

    grpc_status = "INVALID_ARGUMENT"
    http_status = 422


class NoSubject(UnflatError):
    """Nothing in the picture stands out from its surroundings."""

    grpc_status = "FAILED_PRECONDITION"
    http_status = 422


class Overloaded(UnflatError):
    """The queue of a stage is full."""

    grpc_status = "RESOURCE_EXHAUSTED"
    http_status = 429


class StageUnavailable(UnflatError):
    """A stage cannot be reached or has no model to work with."""

    grpc_status = "UNAVAILABLE"
    http_status = 503


class ModelMissing(StageUnavailable):
    """A model was named that is known and not here: no fault of the stage, and no other try helps."""

    grpc_status = "FAILED_PRECONDITION"


class DeadlineExceeded(UnflatError):
    """The time that the caller gave ran out."""

    grpc_status = "DEADLINE_EXCEEDED"
    http_status = 504


class Internal(UnflatError):
    """A defect of ours. What happened is in the log under the request id, never in the message."""


ALL: tuple[type[UnflatError], ...] = (
    InvalidImage,
    ImageTooLarge,
    InvalidOption,
    NoSubject,
    Overloaded,
    StageUnavailable,
    ModelMissing,
    DeadlineExceeded,
    Internal,
)
