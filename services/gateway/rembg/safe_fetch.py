"""GET of a picture by URL that cannot be turned against our own network (SSRF).

A host is resolved once, every address it has must be global, and the connection goes to the address that was checked:
a second answer of the name server changes nothing. Each redirect begins anew with all checks. Scheme, port, size, the
number of redirects and the whole time are bounded; proxies of the environment are not used.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urljoin, urlsplit

import httpcore2
from httpcore2 import AsyncNetworkBackend, AsyncNetworkStream

from services.common.errors import UnflatError
from services.common.version import VERSION

Resolve: TypeAlias = Callable[[str, int], Awaitable[list[str]]]
"""Returns the addresses of a host at a port; raises OSError."""

_PORTS = {"http": 80, "https": 443}
_MOST_REDIRECTS = 4
_REDIRECTS = (301, 302, 303, 307, 308)
_HEADERS = ((b"Accept", b"image/*"), (b"User-Agent", f"unflat/{VERSION}".encode()), (b"Connection", b"close"))
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # reaches any IPv4 address, private ones included


class FetchRefused(UnflatError):
    """The URL may not be fetched, or could not be."""

    grpc_status = "INVALID_ARGUMENT"
    http_status = 400


@dataclass(frozen=True)
class FetchLimits:
    """How much and how long."""

    max_bytes: int
    timeout_s: float


class PinnedNetwork(AsyncNetworkBackend):
    """Connects to hosts by an address that was checked; TLS and the request still name the host.

    Args:
        resolve: asks for a host's addresses.
        network: opens the connections.
    """

    def __init__(self, resolve: Resolve | None = None, network: AsyncNetworkBackend | None = None) -> None:
        self._resolve = resolve or _resolve
        self._network = network or httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        """Return a connection to the first address of `host`, after all of them were checked.

        Raises:
            FetchRefused: an address is not public, or nothing answers there.
        """
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError):
            addresses = []
        if not addresses:
            raise _refused(f"the host {host[:100]} is not known")
        if not all(is_global(address) for address in addresses):
            raise _refused(f"the host {host[:100]} is not a public address")
        try:
            return await self._network.connect_tcp(addresses[0], port, timeout, local_address, socket_options)
        except httpcore2.ConnectError as problem:
            raise _refused(f"{host} could not be reached: {problem}") from None


class Fetcher:
    """Fetches pictures by URL.

    Args:
        limits: size and time of one fetch.
        network: how hosts are reached.
    """

    def __init__(self, limits: FetchLimits, network: PinnedNetwork | None = None) -> None:
        self._limits = limits
        self._network = network or PinnedNetwork()
        self._tls = ssl.create_default_context()

    async def get(self, url: str) -> bytes:
        """Return the body behind `url`.

        Raises:
            FetchRefused: the URL is not public, or what is there does not answer as wanted.
        """
        try:
            async with asyncio.timeout(self._limits.timeout_s):
                for _ in range(_MOST_REDIRECTS + 1):
                    body, onward = await self._one(url)
                    if onward is None:
                        return body
                    url = urljoin(url, onward)
        except TimeoutError:
            raise _refused(f"the picture did not arrive within {self._limits.timeout_s:g} s") from None
        raise _refused(f"the URL redirects more than {_MOST_REDIRECTS} times")

    async def _one(self, url: str) -> tuple[bytes, str | None]:
        """Return the body, or where a redirect leads."""
        target = _checked(url)
        host, authority = target.host.decode(), urlsplit(url).netloc.encode("idna")
        try:
            async with (
                httpcore2.AsyncConnectionPool(self._tls, network_backend=self._network) as pool,
                pool.stream("GET", target, headers=[(b"Host", authority), *_HEADERS]) as answer,
            ):
                headers = {name.lower(): value.decode("latin-1") for name, value in answer.headers}
                if answer.status in _REDIRECTS:
                    return b"", headers.get(b"location", "")
                if answer.status != 200:
                    raise _refused(f"{host} answered with status {answer.status}; wanted 200")
                return await self._body(answer, int(headers.get(b"content-length", 0))), None
        except (httpcore2.NetworkError, httpcore2.ProtocolError, ssl.SSLError) as problem:
            raise _refused(f"{host} did not answer as HTTP should: {type(problem).__name__}") from None

    async def _body(self, answer: httpcore2.Response, length: int) -> bytes:
        """Return the body; `length` is what the answer states, 0 where it states none."""
        limit = self._limits.max_bytes
        if length > limit:
            raise _refused(f"the picture has {length} bytes; the limit is {limit}")
        body = bytearray()
        try:
            async for piece in answer.aiter_stream():
                body += piece
                if len(body) > limit:
                    raise _refused(f"the picture is larger than {limit} bytes")
        except httpcore2.RemoteProtocolError:
            if len(body) >= length:
                raise
            raise _refused(f"the answer ended {length - len(body)} bytes early") from None
        return bytes(body)


def is_global(address: str) -> bool:
    """Return whether an IP address is reachable by anybody: no private, local, mapped or translated network."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None or ip in _NAT64 or ip.is_site_local:
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _checked(url: str) -> httpcore2.URL:
    """Return the parts of a URL that may be fetched."""
    try:
        parts = urlsplit(url)
        port, host = parts.port, (parts.hostname or "").encode("idna")
    except ValueError:
        raise _refused("the URL is not well formed") from None
    if parts.scheme not in _PORTS or not host:
        raise _refused(f"the URL begins with {parts.scheme[:20]!r}; wanted http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise _refused("the URL carries a user name; wanted one without")
    if port not in (None, *_PORTS.values()):
        raise _refused(f"the URL names port {port}; wanted 80 or 443")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if any(ord(letter) <= 32 or ord(letter) >= 127 for letter in target):
        raise _refused("the URL holds characters that must be percent-encoded")
    return httpcore2.URL(scheme=parts.scheme, host=host, port=port, target=target)


def _refused(sentence: str) -> FetchRefused:
    return FetchRefused(sentence, field="url")


async def _resolve(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]
