"""What happens around every call, in one place: request id, span, log line, duration, and errors turned into statuses.

An exception that is not ours never leaves with its text: it is logged with its trace under the request id, and the
caller reads a fixed sentence. Sync servers and aio servers share everything but the waiting.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import grpc
import grpc.aio
import structlog

from services.common.errors import Internal, UnflatError
from services.common.rpc_errors import to_status
from services.common.serving.stage_call import CallAbandonedError
from services.common.telemetry import metrics, tracing
from services.common.telemetry.logs import REQUEST_ID_KEY, accept_request_id, bind_request, get_logger

_log = get_logger()
_OUR_FAULT = frozenset({"INTERNAL", "UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"})
_QUIET = ("/grpc.health.v1.Health/", "/grpc.reflection.")  # probes every few seconds are not worth a line


class CallRecord:
    """One call from the outside: who, how long, how it ended."""

    def __init__(self, method: str, metadata: Any) -> None:
        given = next((str(value) for key, value in metadata or () if key == REQUEST_ID_KEY), None)
        self.request_id = accept_request_id(given)
        self.method = method
        self.begin = time.perf_counter()
        bind_request(self.request_id)
        self._caller = tracing.read((key, value) for key, value in metadata or () if isinstance(value, str))

    def span(self) -> AbstractContextManager[None]:
        """Follow the body as the caller's call on this side."""
        name = self.method.removeprefix("/")
        return tracing.span(name, kind="server", parent=self._caller, request_id=self.request_id)

    def done(self, code: str, **facts: Any) -> None:
        """Count and log the end of the call."""
        seconds = time.perf_counter() - self.begin
        tracing.describe(failed=code in _OUR_FAULT, code=code)
        metrics.observe(metrics.REQUEST_SECONDS.labels(self.method, code), seconds)
        _log.info("call", method=self.method, code=code, seconds=round(seconds, 4), **facts)

    def refused(self, problem: BaseException) -> UnflatError:
        """Count and log an error, and return the one the caller may see."""
        if isinstance(problem, UnflatError):
            self.done(problem.grpc_status, reason=problem.reason, detail=problem.message)
            return problem
        _log.error("defect", method=self.method, exc_info=problem)
        self.done("INTERNAL")
        return Internal(f"an internal error happened; its trace is in the log under request id {self.request_id}")


def _is_quiet(method: str) -> bool:
    return method.startswith(_QUIET)


class ErrorInterceptor(grpc.ServerInterceptor):
    """The error interceptor of a sync server."""

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler[Any, Any] | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Wrap the handler of one call."""
        handler = continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or _is_quiet(method):
            return handler
        metadata = handler_call_details.invocation_metadata
        if handler.unary_unary is not None:
            inner = handler.unary_unary
            return grpc.unary_unary_rpc_method_handler(
                lambda request, context: _call_unary(inner, CallRecord(method, metadata), request, context),
                request_deserializer=handler.request_deserializer,
                response_serializer=handler.response_serializer,
            )
        if handler.unary_stream is not None:
            inner_stream = handler.unary_stream
            return grpc.unary_stream_rpc_method_handler(
                lambda request, context: _call_stream(inner_stream, CallRecord(method, metadata), request, context),
                request_deserializer=handler.request_deserializer,
                response_serializer=handler.response_serializer,
            )
        return handler


def _call_unary(inner: Any, record: CallRecord, request: Any, context: grpc.ServicerContext) -> Any:
    with _answer_errors(record, context):
        return inner(request, context)


def _call_stream(inner: Any, record: CallRecord, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
    with _answer_errors(record, context):
        yield from inner(request, context)


@contextmanager
def _answer_errors(record: CallRecord, context: grpc.ServicerContext) -> Iterator[None]:
    """Turn what the body raises into a status, and count how it ended."""
    with record.span():
        try:
            yield
        except CallAbandonedError:
            record.done("CANCELLED")
            context.abort(grpc.StatusCode.CANCELLED, "the caller left")
        except Exception as problem:  # noqa: BLE001 - the outermost layer answers everything
            context.abort_with_status(to_status(record.refused(problem), record.request_id))
        record.done("OK")


class AioErrorInterceptor(grpc.aio.ServerInterceptor):
    """The error interceptor of an aio server."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Wrap the handler of one call."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or _is_quiet(method):
            return handler
        metadata = handler_call_details.invocation_metadata
        if handler.unary_unary is not None:
            inner: Any = handler.unary_unary

            async def unary(request: Any, context: Any) -> Any:
                record = CallRecord(method, metadata)
                with record.span():
                    try:
                        answer = await inner(request, context)
                    except asyncio.CancelledError:
                        record.done("CANCELLED")
                        raise
                    except Exception as problem:  # noqa: BLE001 - the outermost layer answers everything
                        await _abort_aio(context, record, problem)
                    record.done("OK")
                return answer

            return grpc.unary_unary_rpc_method_handler(
                unary,
                request_deserializer=handler.request_deserializer,
                response_serializer=handler.response_serializer,
            )
        if handler.unary_stream is not None:
            inner_stream: Any = handler.unary_stream

            async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
                record = CallRecord(method, metadata)
                answered = False
                with record.span():
                    try:
                        async for answer in inner_stream(request, context):
                            answered = _is_result(answer)
                            yield answer
                    except (asyncio.CancelledError, GeneratorExit):
                        record.done("OK" if answered else "CANCELLED")
                        raise
                    except Exception as problem:  # noqa: BLE001 - the outermost layer answers everything
                        await _abort_aio(context, record, problem)
                    record.done("OK")

            return grpc.unary_stream_rpc_method_handler(
                stream,
                request_deserializer=handler.request_deserializer,
                response_serializer=handler.response_serializer,
            )
        return handler


def _is_result(answer: Any) -> bool:
    """Tell whether a stream of progress and one result is at its end: who leaves then has been answered."""
    return "result" in answer.DESCRIPTOR.fields_by_name and answer.HasField("result")


async def _abort_aio(context: Any, record: CallRecord, problem: Exception) -> None:
    if isinstance(problem, grpc.aio.AbortError):
        raise problem
    status = to_status(record.refused(problem), record.request_id)
    await context.abort(status.code, status.details, status.trailing_metadata)


def current_request_id() -> str:
    """Return the request id of the call that runs in this thread or task, or an empty string."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))
