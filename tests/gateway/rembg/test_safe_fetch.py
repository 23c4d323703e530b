"""Pictures by URL: only from public addresses, only so much, only so long."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import contextmanager

import httpcore2
import pytest

from services.gateway.rembg.safe_fetch import Fetcher, FetchLimits, FetchRefused, PinnedNetwork, is_global

PUBLIC = "93.184.216.34"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 4\r\n\r\nbody"


class FakeNet(httpcore2.AsyncNetworkBackend):
    """Names with addresses, and one canned answer for each connection, in order; all addresses lead here."""

    def __init__(self, *answers, names=None):
        self.answers = list(answers)
        self.names = names or {}
        self.resolved: list[str] = []
        self.connected: list[tuple[str, int]] = []
        self.requests: list[bytes] = []

    async def resolve(self, host, port):
        self.resolved.append(host)
        found = self.names.get(host, [PUBLIC])
        if not found:
            raise OSError("no such name")
        return found

    async def connect_tcp(self, host, port, *options):
        self.connected.append((host, port))
        with socket.create_server(("127.0.0.1", 0)) as here:
            stream = await httpcore2.AnyIOBackend().connect_tcp("127.0.0.1", here.getsockname()[1])
            theirs, _ = here.accept()
        threading.Thread(target=self._serve, args=(theirs, self.answers.pop(0)), daemon=True).start()
        return stream

    def _serve(self, theirs, answer):
        with theirs:
            self.requests.append(theirs.recv(65536))
            pieces = [answer] if isinstance(answer, bytes) else answer
            for piece in pieces:
                try:
                    theirs.sendall(piece)
                except OSError:
                    return


def fetch(net, url, max_bytes=100, timeout_s=10.0):
    return asyncio.run(Fetcher(FetchLimits(max_bytes, timeout_s), PinnedNetwork(net.resolve, net)).get(url))


@contextmanager
def refused(words=""):
    with pytest.raises(FetchRefused) as found:
        yield
    assert (found.value.http_status, found.value.field) == (400, "url")
    assert words in found.value.message


def redirect(to):
    return f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


def test_body_of_a_public_host_is_returned():
    net = FakeNet(OK)
    assert fetch(net, "http://pictures.example/a.png?size=1") == b"body"
    assert net.connected == [(PUBLIC, 80)]
    assert net.requests[0].startswith(b"GET /a.png?size=1 HTTP/1.1\r\n")
    assert b"Host: pictures.example\r\n" in net.requests[0]


def test_body_in_pieces_and_chunks_is_read_whole():
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"2\r\nbo\r\n", b"2\r\ndy\r\n0\r\n\r\n"
    assert fetch(FakeNet(chunked), "http://p.example/") == b"body"


def test_host_is_resolved_once_and_the_checked_address_is_the_one_used():
    net = FakeNet(OK)
    fetch(net, "http://p.example/")
    assert (net.resolved, net.connected) == (["p.example"], [(PUBLIC, 80)])


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["10.0.0.1"], ["169.254.169.254"], ["::1"], [PUBLIC, "192.168.0.1"], ["fe80::1%eth0"]]
)
def test_host_with_any_inner_address_is_refused(addresses):
    net = FakeNet(OK, names={"rebind.example": addresses})
    with refused("not a public address"):
        fetch(net, "http://rebind.example/")
    assert net.connected == []


def test_redirect_is_followed():
    net = FakeNet(redirect("/b.png"), OK)
    assert fetch(net, "http://p.example/a.png") == b"body"
    assert net.requests[1].startswith(b"GET /b.png ")


@pytest.mark.parametrize(
    "to",
    [
        "http://inner.example/",
        "http://inner.example:80/x",
        "file:///etc/passwd",
        "gopher://p.example/",
        "//inner.example/",
    ],
)
def test_redirect_is_checked_like_the_first_url(to):
    net = FakeNet(redirect(to), OK, names={"inner.example": ["10.1.2.3"]})
    with refused():
        fetch(net, "http://p.example/")
    assert len(net.connected) == 1


def test_endless_redirects_end():
    net = FakeNet(*[redirect("/again")] * 10)
    with refused("redirects"):
        fetch(net, "http://p.example/")
    assert len(net.connected) == 5


@pytest.mark.parametrize(
    "url",
    [
        "",
        "p.example/a.png",
        "ftp://p.example/",
        "http://",
        "http:///a",
        "http://user:word@p.example/",
        "http://p.example:22/",
        "http://p.example:99999/",
        "http://[::1",
        "http://p.example/a b",
        "http://p.example/\r\nX: 1",
        "http://p.example/ü",
    ],
)
def test_url_that_may_not_be_fetched_is_refused_before_any_name_is_asked(url):
    net = FakeNet(OK)
    with refused():
        fetch(net, url)
    assert net.resolved == []


def test_unknown_host_is_refused():
    with refused("not known"):
        fetch(FakeNet(names={"no.example": []}), "http://no.example/")


def test_stated_length_beyond_the_limit_is_refused_before_the_body():
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n"
    with refused("101"):
        fetch(FakeNet(answer), "http://p.example/")


def test_body_without_a_length_is_counted():
    answer = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 101
    with refused("larger than 100"):
        fetch(FakeNet(answer), "http://p.example/")


def test_body_that_ends_early_is_refused():
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nbody"
    with refused("early"):
        fetch(FakeNet(answer), "http://p.example/")


@pytest.mark.parametrize("answer", [b"", b"garbage\r\n\r\n", b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"])
def test_answer_that_is_no_200_is_refused(answer):
    with refused():
        fetch(FakeNet(answer), "http://p.example/")


def test_peer_that_trickles_is_cut_off():
    stop = threading.Event()

    def drops():
        yield b"HTTP/1.1 200 OK\r\n"
        while not stop.wait(0.02):
            yield b"X-Drop: 1\r\n"

    with refused("did not arrive within 0.3 s"):
        fetch(FakeNet(drops()), "http://p.example/", timeout_s=0.3)
    stop.set()


def test_certificate_of_the_named_host_is_wanted():
    net = FakeNet(b"this is no TLS")
    with refused("did not answer"):
        fetch(net, "https://p.example/")
    assert net.connected == [(PUBLIC, 443)]
    assert b"p.example" in net.requests[0]  # the server name goes with the greeting


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:93.184.216.34",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "fc00::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
    ],
)
def test_inner_address_is_not_global(address):
    assert not is_global(address)


@pytest.mark.parametrize("address", [PUBLIC, "1.1.1.1", "2606:4700:4700::1111"])
def test_public_address_is_global(address):
    assert is_global(address)
