"""Errors across the wire: our tree to gRPC status with details, and back to the same class.

Details are google.rpc.ErrorInfo (the class and its facts), BadRequest (the field) and RetryInfo (when to come back).
Their texts are capped: more than 16 KB of metadata turns any status into RESOURCE_EXHAUSTED.
"""

from __future__ import annotations

from typing import Any

import grpc
import grpc.aio
from google.protobuf import any_pb2, duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from services.common import errors
from services.common.errors import DeadlineExceeded, Internal, Overloaded, StageUnavailable, UnflatError
from services.common.telemetry.logs import get_logger

DOMAIN = "unflat"
_REQUEST_ID = "request_id"
_LONGEST_TEXT = 2_000

_BY_REASON = {kind("").reason: kind for kind in errors.ALL}
_BY_CODE: dict[grpc.StatusCode, type[UnflatError]] = {
    grpc.StatusCode.UNAVAILABLE: StageUnavailable,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Overloaded,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
}

_SAYS: dict[type[UnflatError], str] = {
    StageUnavailable: "does not answer; is it running?",
    Overloaded: "takes no more work at the moment",
    DeadlineExceeded: "did not answer in time",
}
# What gRPC says of a handshake that failed, and what that means.
_TLS_SAYS = {
    "certificate has expired": "shows a certificate that has expired",
    "certificate is not yet valid": "shows a certificate that is not valid yet",
    "CERTIFICATE_VERIFY_FAILED": "shows a certificate of an authority that is not trusted here (--tls-ca)",
    "Hostname Verification Check failed": "shows a certificate for another name than the one it was called by",
    "WRONG_VERSION_NUMBER": "does not speak TLS, and this side does (--tls-cert)",
}
_log = get_logger()


def to_status(error: UnflatError, request_id: str) -> grpc.Status:
    """Return the gRPC status of `error`, with its details."""
    told = {**error.facts, _REQUEST_ID: request_id}
    details = [error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=told)]
    if error.field:
        violation = error_details_pb2.BadRequest.FieldViolation(field=error.field, description=error.message[:500])
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    if error.retry_after_s is not None:
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(round(error.retry_after_s * 1e9))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    packed = []
    for detail in details:
        box = any_pb2.Any()
        box.Pack(detail)
        packed.append(box)
    code = code_pb2.Code.Value(error.grpc_status)
    return rpc_status.to_status(status_pb2.Status(code=code, message=error.message[:_LONGEST_TEXT], details=packed))


def from_rpc_error(error: grpc.RpcError, stage: str) -> UnflatError:
    """Return the error of our tree that a failed call stands for.

    Args:
        error: what the call raised.
        stage: who was called, for the sentence where the other side did not send one of ours.
    """
    if not isinstance(error, (grpc.Call, grpc.aio.AioRpcError)):
        return StageUnavailable(f"{stage} could not be called: {error}")
    code, text = error.code(), error.details() or ""
    call: Any = error  # an aio error has the same methods
    status = rpc_status.from_call(call)
    if status is not None:
        field, retry, kind, facts = "", None, None, {}
        for box in status.details:
            if box.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
                info = error_details_pb2.ErrorInfo()
                box.Unpack(info)
                kind = _BY_REASON.get(info.reason) if info.domain == DOMAIN else None
                facts = {name: value for name, value in info.metadata.items() if name != _REQUEST_ID}
            elif box.Is(error_details_pb2.BadRequest.DESCRIPTOR):
                bad = error_details_pb2.BadRequest()
                box.Unpack(bad)
                field = bad.field_violations[0].field if bad.field_violations else ""
            elif box.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
                info_retry = error_details_pb2.RetryInfo()
                box.Unpack(info_retry)
                retry = info_retry.retry_delay.ToNanoseconds() / 1e9
        if kind is not None:
            return kind(text, field=field, retry_after_s=retry, facts=facts)
    kind = _BY_CODE.get(code)
    if kind is StageUnavailable and (refusal := _tls_refusal(text)):
        _log.warning("call failed", stage=stage, code=code.name, detail=text[:500])
        return StageUnavailable(f"{stage} {refusal}")
    # gRPC's own text names addresses and file lines: it belongs into the log, not to a caller.
    _log.warning("call failed", stage=stage, code=code.name, detail=text[:500])
    if kind is not None:
        return kind(f"{stage} {_SAYS[kind]}")
    return Internal(f"{stage} failed ({code.name})")


def _tls_refusal(text: str) -> str:
    """Return what a failed TLS handshake means, or an empty string where gRPC's text does not tell of one."""
    for sign, meaning in _TLS_SAYS.items():
        if sign in text:
            return meaning
    if "last error: " in text and text.endswith("Socket closed"):
        return "closes every connection at once: it wants TLS, or does not accept our certificate; its log says which"
    return ""
