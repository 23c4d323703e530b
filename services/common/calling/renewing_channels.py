"""Channels that outlive their certificate, and gRPC's waits between two questions to DNS.

gRPC binds a channel to the certificate it was opened with, and asks again for a name without an address only after up
to two minutes. These check before each call whether a new channel is due, open it, and let calls that run on the old
one end there. To stubs they are channels.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

import grpc
import grpc.aio

from services.common.tls import Certificate, Identity

C = TypeVar("C")
Reopen: TypeAlias = Callable[[Certificate | None], C]  # a channel for a certificate, a plaintext one for None

_RETIRE_S = 600.0  # longer than any call: then the old channel is closed


@dataclass(frozen=True)
class Opening:
    """What a channel is opened with: a certificate, or None for plaintext; and the number of the channel, from 0."""

    certificate: Certificate | None
    number: int


class Renewal:
    """When a new channel is due: with a new certificate of `identity`, and whenever it is asked for."""

    def __init__(self, identity: Identity | None) -> None:
        self._identity = identity
        self._asked = 0

    def ask(self) -> None:
        """Have the next call open a channel anew, which asks DNS at once."""
        self._asked += 1

    def current(self) -> Opening:
        """Return what a channel would be opened with now."""
        return Opening(None if self._identity is None else self._identity.current(), self._asked)


class _Renewer(Generic[C]):
    """Holds the channel that is current."""

    def __init__(self, renewal: Renewal, reopen: Reopen[C], retire: Callable[[C], None]) -> None:
        self._renewal = renewal
        self._reopen = reopen
        self._retire = retire
        self._lock = threading.Lock()
        self._opening = renewal.current()
        self._channel = reopen(self._opening.certificate)

    def current(self) -> C:
        """Return the channel, opened anew if that is due."""
        opening = self._renewal.current()
        with self._lock:
            last = self._opening
            if opening.certificate is not last.certificate or opening.number != last.number:
                self._retire(self._channel)
                self._opening, self._channel = opening, self._reopen(opening.certificate)
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


class _Methods(Generic[C]):
    """The methods of a channel, of either kind."""

    _renewer: _Renewer[C]

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


class RenewingChannel(_Methods[grpc.Channel], grpc.Channel):
    """A sync channel that is opened anew when that is due.

    Args:
        renewal: looked at before each call.
        reopen: returns a channel for a certificate, or a plaintext one for None.
    """

    def __init__(self, renewal: Renewal, reopen: Reopen[grpc.Channel]) -> None:
        self._renewer = _Renewer(renewal, reopen, self._retire)
        self._timers: list[threading.Timer] = []

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


class RenewingAioChannel(_Methods[grpc.aio.Channel], grpc.aio.Channel):
    """The same for coroutines."""

    def __init__(self, renewal: Renewal, reopen: Reopen[grpc.aio.Channel]) -> None:
        self._renewer = _Renewer(renewal, reopen, self._retire)
        self._closing: set[asyncio.Task[None]] = set()

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
