"""GET of a picture by URL that cannot be turned against our own network (SSRF).

A host is resolved once, every address it has must be global, and the connection goes to the address that was checked:
a second answer of the name server changes nothing. Each redirect begins anew with all checks. Scheme, port, size, the
number of redirects and the whole time are bounded; proxies of the environment are not used.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import SplitResult, urljoin, urlsplit

from services.common.errors import UnflatError
from services.common.version import VERSION

Resolve: TypeAlias = Callable[[str, int], list[str]]
"""Returns the addresses of a host and port; raises OSError."""
Connect: TypeAlias = Callable[[str, int, float], socket.socket]
"""Opens a connection to an address and port within seconds; raises OSError."""

_PORTS = {"http": 80, "https": 443}
_MOST_REDIRECTS = 4
_REDIRECTS = (301, 302, 303, 307, 308)
_PIECE_BYTES = 1 << 16
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


class Fetcher:
    """Fetches pictures by URL.

    Args:
        limits: size and time of one fetch.
        resolve, connect: the network; replaced in tests.
    """

    def __init__(self, limits: FetchLimits, resolve: Resolve | None = None, connect: Connect | None = None) -> None:
        self._limits = limits
        self._resolve = resolve or _resolve
        self._connect = connect or _connect

    def get(self, url: str) -> bytes:
        """Return the body behind `url`.

        Raises:
            FetchRefused: the URL is not public, or what is there does not answer as wanted.
        """
        ends = time.monotonic() + self._limits.timeout_s
        for _ in range(_MOST_REDIRECTS + 1):
            body, onward = self._one(_checked(url), ends)
            if onward is None:
                return body
            url = urljoin(url, onward)
        raise FetchRefused(f"the URL redirects more than {_MOST_REDIRECTS} times", field="url")

    def _one(self, url: SplitResult, ends: float) -> tuple[bytes, str | None]:
        """Return the body, or where a redirect leads."""
        host, port = url.hostname or "", url.port or _PORTS[url.scheme]
        address = self._pinned(host, port)
        left = ends - time.monotonic()
        if left <= 0:
            raise _slow(self._limits.timeout_s)
        overdue = threading.Event()
        try:
            raw = self._connect(address, port, left)
        except OSError as problem:
            raise FetchRefused(f"{host} could not be reached: {problem.strerror or problem}", field="url") from None

        control = raw.dup()  # TLS takes the socket over; its twin can still end the connection

        def cut() -> None:  # a peer that sends a byte now and then never meets a timeout of the socket
            overdue.set()
            with contextlib.suppress(OSError):
                control.shutdown(socket.SHUT_RDWR)

        watchdog = threading.Timer(max(0.0, ends - time.monotonic()), cut)
        watchdog.daemon = True
        watchdog.start()
        try:
            answer = self._exchange(url, host, raw)
        except FetchRefused:
            if overdue.is_set():
                raise _slow(self._limits.timeout_s) from None
            raise
        except (OSError, http.client.HTTPException, ValueError) as problem:
            if overdue.is_set() or isinstance(problem, TimeoutError):
                raise _slow(self._limits.timeout_s) from None
            raise FetchRefused(f"{host} did not answer as HTTP should: {type(problem).__name__}", field="url") from None
        finally:
            watchdog.cancel()
            control.close()
            raw.close()
        if overdue.is_set():  # a cut connection looks like the end of an answer without a length
            raise _slow(self._limits.timeout_s)
        return answer

    def _pinned(self, host: str, port: int) -> str:
        """Return the address to connect to, after all addresses of the host were checked."""
        try:
            addresses = self._resolve(host, port)
        except (OSError, UnicodeError):
            addresses = []
        if not addresses:
            raise FetchRefused(f"the host {host[:100]} is not known", field="url")
        if not all(is_global(address) for address in addresses):
            raise FetchRefused(f"the host {host[:100]} is not a public address", field="url")
        return addresses[0]

    def _exchange(self, url: SplitResult, host: str, raw: socket.socket) -> tuple[bytes, str | None]:
        connection = http.client.HTTPConnection(host, url.port or _PORTS[url.scheme])
        connection.sock = ssl.create_default_context().wrap_socket(raw, server_hostname=host) if _is_tls(url) else raw
        with contextlib.closing(connection):
            target = (url.path or "/") + (f"?{url.query}" if url.query else "")
            headers = {"Accept": "image/*", "User-Agent": f"unflat/{VERSION}", "Connection": "close"}
            connection.request("GET", target, headers=headers)
            answer = connection.getresponse()
            if answer.status in _REDIRECTS:
                return b"", answer.headers.get("Location", "")
            if answer.status != 200:
                raise FetchRefused(f"{host} answered with status {answer.status}; wanted 200", field="url")
            return self._body(answer, host), None

    def _body(self, answer: http.client.HTTPResponse, host: str) -> bytes:
        limit = self._limits.max_bytes
        if answer.length is not None and answer.length > limit:
            raise FetchRefused(f"the picture has {answer.length} bytes; the limit is {limit}", field="url")
        body = bytearray()
        while piece := answer.read(_PIECE_BYTES):
            body += piece
            if len(body) > limit:
                raise FetchRefused(f"the picture is larger than {limit} bytes", field="url")
        if answer.length:
            raise FetchRefused(f"{host} ended its answer {answer.length} bytes early", field="url")
        return bytes(body)


def is_global(address: str) -> bool:
    """Return whether an IP address is reachable by anybody: no private, local, mapped or translated network."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None or ip in _NAT64 or ip.is_site_local:
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _checked(url: str) -> SplitResult:
    """Return the parts of a URL that may be fetched."""
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        raise FetchRefused("the URL is not well formed", field="url") from None
    if parts.scheme not in _PORTS or not host:
        raise FetchRefused(f"the URL begins with {parts.scheme[:20]!r}; wanted http:// or https://", field="url")
    if parts.username is not None or parts.password is not None:
        raise FetchRefused("the URL carries a user name; wanted one without", field="url")
    if port not in (None, *_PORTS.values()):
        raise FetchRefused(f"the URL names port {port}; wanted 80 or 443", field="url")
    if any(ord(letter) <= 32 or ord(letter) >= 127 for letter in parts.path + parts.query):
        raise FetchRefused("the URL holds characters that must be percent-encoded", field="url")
    return parts


def _is_tls(url: SplitResult) -> bool:
    return url.scheme == "https"


def _slow(timeout_s: float) -> FetchRefused:
    return FetchRefused(f"the picture did not arrive within {timeout_s:g} s", field="url")


def _resolve(host: str, port: int) -> list[str]:
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _connect(address: str, port: int, timeout_s: float) -> socket.socket:
    return socket.create_connection((address, port), timeout=timeout_s)
