"""Channels that outlive their certificate.

gRPC binds a channel to the certificate it was opened with. These look at the identity before each call, open a channel
anew when the certificate has changed, and let calls that run on the old one end there. To stubs they are channels.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import grpc
import grpc.aio

from services.common.tls import Certificate, Identity

C = TypeVar("C")

_RETIRE_S = 600.0  # longer than any call: then the old channel is closed


class _Renewer(Generic[C]):
    """Holds the channel of the current certificate."""

    def __init__(self, identity: Identity, reopen: Callable[[Certificate], C], retire: Callable[[C], None]) -> None:
        self._identity = identity
        self._reopen = reopen
        self._retire = retire
        self._lock = threading.Lock()
        self._certificate = identity.current()
        self._channel = reopen(self._certificate)

    def current(self) -> C:
        """Return the channel, opened anew if the certificate has changed."""
        certificate = self._identity.current()
        with self._lock:
            if certificate is not self._certificate:
                self._retire(self._channel)
                self._certificate, self._channel = certificate, self._reopen(certificate)
            return self._channel


class _Method:
    """A method of a stub, called on whichever channel is current."""

    def __init__(self, renewer: _Renewer[Any], kind: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        self._renewer = renewer
        self._kind, self._arguments, self._options = kind, arguments, options
        self._bound: tuple[Any, Any] = (None, None)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Begin a call."""
        return self._current()(*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        """Return `with_call` or `future` of a sync method."""
        return getattr(self._current(), name)

    def _current(self) -> Any:
        channel, method = self._bound
        now = self._renewer.current()
        if channel is not now:
            method = getattr(now, self._kind)(*self._arguments, **self._options)
            self._bound = (now, method)
        return method


class RenewingChannel(grpc.Channel):
    """A sync channel that follows `identity`.

    Args:
        identity: looked at before each call.
        reopen: returns a channel for a certificate.
    """

    def __init__(self, identity: Identity, reopen: Callable[[Certificate], grpc.Channel]) -> None:
        self._renewer = _Renewer(identity, reopen, self._retire)
        self._timers: list[threading.Timer] = []

    def unary_unary(self, *arguments: Any, **options: Any) -> Any:
        """Return the method."""
        return _Method(self._renewer, "unary_unary", arguments, options)

    def unary_stream(self, *arguments: Any, **options: Any) -> Any:
        """Return the method."""
        return _Method(self._renewer, "unary_stream", arguments, options)

    def stream_unary(self, *arguments: Any, **options: Any) -> Any:
        """Return the method."""
        return _Method(self._renewer, "stream_unary", arguments, options)

    def stream_stream(self, *arguments: Any, **options: Any) -> Any:
        """Return the method."""
        return _Method(self._renewer, "stream_stream", arguments, options)

    def subscribe(self, *arguments: Any, **options: Any) -> None:
        """Subscribe to the state of the channel that is current now."""
        self._renewer.current().subscribe(*arguments, **options)

    def unsubscribe(self, callback: Any) -> None:
        """Take back such a subscription."""
        self._renewer.current().unsubscribe(callback)

    def close(self) -> None:
        """Close; running calls are cancelled."""
        for timer in self._timers:
            timer.cancel()
            timer.function()
        self._timers.clear()
        self._renewer.current().close()

    def __enter__(self) -> RenewingChannel:
        """Return itself."""
        return self

    def __exit__(self, kind: Any, value: Any, trace: Any) -> None:
        """Close."""
        self.close()

    def _retire(self, channel: grpc.Channel) -> None:
        timer = threading.Timer(_RETIRE_S, channel.close)
        timer.daemon = True
        timer.start()
        self._timers = [*(one for one in self._timers if one.is_alive()), timer]


class RenewingAioChannel(grpc.aio.Channel):
    """The same for coroutines."""

    def __init__(self, identity: Identity, reopen: Callable[[Certificate], grpc.aio.Channel]) -> None:
        self._renewer = _Renewer(identity, reopen, self._retire)
        self._closing: set[asyncio.Task[None]] = set()

    def unary_unary(self, *arguments: Any, **options: Any) -> Any:
        """Return the method."""
        return _Method(self._renewer, "unary_unary", arguments, options)

    def unary_stream(self, *arguments: Any, **options: Any) -> Any:
        """Return the method."""
        return _Method(self._renewer, "unary_stream", arguments, options)

    def stream_unary(self, *arguments: Any, **options: Any) -> Any:
        """Return the method."""
        return _Method(self._renewer, "stream_unary", arguments, options)

    def stream_stream(self, *arguments: Any, **options: Any) -> Any:
        """Return the method."""
        return _Method(self._renewer, "stream_stream", arguments, options)

    async def close(self, grace: float | None = None) -> None:
        """Close; running calls have `grace` seconds."""
        for task in self._closing:
            task.cancel()
        await self._renewer.current().close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """Return the state of the channel that is current now."""
        return self._renewer.current().get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Wait until the state is another one."""
        await self._renewer.current().wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Wait for a connection."""
        await self._renewer.current().channel_ready()

    async def __aenter__(self) -> RenewingAioChannel:
        """Return itself."""
        return self

    async def __aexit__(self, kind: Any, value: Any, trace: Any) -> None:
        """Close."""
        await self.close()

    def _retire(self, channel: grpc.aio.Channel) -> None:
        task = asyncio.ensure_future(channel.close(_RETIRE_S))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
