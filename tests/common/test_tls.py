"""Mutual TLS: what is read, what is refused, and certificates that change while everything runs."""

from __future__ import annotations

import asyncio
import os
import queue
import shutil
import socket
import ssl
import time
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from services.common.calling.channels import open_aio_channel, open_channel
from services.common.calling.renewing_channels import Renewal
from services.common.errors import InvalidOption, StageUnavailable
from services.common.load_settings import load_settings
from services.common.rpc_errors import from_rpc_error
from services.common.serving.start_up import bind
from services.common.settings import RpcSettings
from services.common.telemetry import metrics
from services.common.tls import Identity, TlsFiles, environment_identity, load_identity, read_certificate, tls_files

pytestmark = pytest.mark.slow

WAIT_S = 20.0


def _exchange_for(files: TlsFiles, others: TlsFiles) -> None:
    """Put the files of another certificate in the place of these."""
    for name in ("cert", "key", "ca"):
        shutil.copyfile(getattr(others, name), getattr(files, name))


def _serial(pem: bytes) -> int:
    return x509.load_pem_x509_certificate(pem).serial_number


# ── what is read ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_certificate_is_read_with_the_date_it_expires(authority):
    found = read_certificate(authority.issue("depth", days=3))
    assert found.problem == ""
    assert found.expires_s == pytest.approx(time.time() + 3 * 86400, abs=60)
    assert metrics.CERTIFICATE_EXPIRES._value.get() != found.expires_s  # told by an identity, not by reading


def test_an_identity_tells_its_expiry_as_a_metric(authority):
    found = Identity(authority.issue("depth")).current()
    assert metrics.CERTIFICATE_EXPIRES._value.get() == found.expires_s


def test_a_certificate_that_peers_refuse_has_expired_long_ago_in_the_metric(authority):
    Identity(authority.issue("depth", days=-1))
    assert metrics.CERTIFICATE_EXPIRES._value.get() == 1


@pytest.mark.parametrize("missing", ["tls_cert", "tls_key", "tls_ca"])
def test_half_a_setting_ends_the_process_with_a_sentence(authority, missing, capsys):
    files = authority.issue("depth")
    given = {"tls_cert": files.cert, "tls_key": files.key, "tls_ca": files.ca}
    flags = [f"--{name.replace('_', '-')}={path}" for name, path in given.items() if name != missing]
    with pytest.raises(SystemExit) as ended:
        load_settings(RpcSettings, "depth", flags)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"without {missing.replace('_', '-')}: TLS between services takes all three, or none" in said


def test_no_setting_is_plaintext_and_all_three_are_tls(authority, monkeypatch):
    assert load_settings(RpcSettings, "depth", []).tls_files is None
    files = authority.issue("depth")
    for part in ("cert", "key", "ca"):
        monkeypatch.setenv(f"UNFLAT_TLS_{part.upper()}", str(getattr(files, part)))
    assert load_settings(RpcSettings, "depth", []).tls_files == files
    found = environment_identity(os.environ)
    assert found is not None and found.current() == read_certificate(files)
    assert tls_files(None, None, None) is None


def test_a_file_that_is_not_there_ends_the_process_with_its_name(authority, capsys):
    files = authority.issue("depth")
    files.key.unlink()
    with pytest.raises(SystemExit):
        load_identity(files)
    assert f"cannot read {files.key}: No such file" in capsys.readouterr().err


def test_a_key_of_another_certificate_is_refused(authority):
    mine, other = authority.issue("depth"), authority.issue("mesher")
    with pytest.raises(InvalidOption, match="not a certificate and its key"):
        read_certificate(TlsFiles(mine.cert, other.key, mine.ca))


def test_a_text_that_is_no_certificate_is_refused(authority):
    files = authority.issue("depth")
    files.ca.write_text("hello")
    with pytest.raises(InvalidOption, match="no authority's certificate"):
        read_certificate(files)


@pytest.mark.parametrize(
    ("issued", "said"),
    [
        ({"days": -1}, "has expired"),
        ({"days": 41}, "not yet valid"),
        ({"usages": (ExtendedKeyUsageOID.SERVER_AUTH,)}, "purpose"),
        ({"usages": (ExtendedKeyUsageOID.CLIENT_AUTH,)}, "purpose"),
    ],
    ids=["expired", "early", "never a client", "never a server"],
)
def test_what_peers_would_refuse_is_known_before_they_do(authority, issued, said):
    found = read_certificate(authority.issue("depth", **issued))
    assert said in found.problem
    assert found.expires_s == 0


def test_a_certificate_of_a_foreign_authority_is_known_as_such(new_authority):
    ours, theirs = new_authority("ours").issue("mesher"), new_authority("theirs").issue("depth")
    assert "issuer" in read_certificate(TlsFiles(theirs.cert, theirs.key, ours.ca)).problem


# ── what changes ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_same_files_are_the_same_object(authority):
    identity = Identity(authority.issue("depth"))
    assert identity.current() is identity.current()


def test_a_new_certificate_is_taken_at_the_next_look(authority):
    identity = Identity(authority.issue("depth"))
    before = identity.current()
    authority.issue("depth", days=9)
    after = identity.current()
    assert _serial(after.cert) != _serial(before.cert)
    assert after.expires_s > before.expires_s


def test_a_mounted_secret_changes_by_its_link(authority, tmp_path):
    for number in ("1", "2"):
        (tmp_path / number).mkdir()
        files = authority.issue("x")
        for name in ("cert", "key", "ca"):
            shutil.copyfile(getattr(files, name), tmp_path / number / name)
    link = tmp_path / "data"
    link.symlink_to("1")
    identity = Identity(TlsFiles(link / "cert", link / "key", link / "ca"))
    before = identity.current()
    other = tmp_path / "other"
    other.symlink_to("2")
    other.replace(link)
    assert identity.current().cert != before.cert


@pytest.mark.parametrize("kind", ["half", "gone", "expired", "foreign"])
def test_a_set_that_cannot_be_used_leaves_the_last_good_one(authority, new_authority, kind):
    files = authority.issue("depth")
    identity = Identity(files)
    before = identity.current()
    if kind == "half":  # the certificate is there already, its key not yet
        shutil.copyfile(authority.issue("other").cert, files.cert)
    elif kind == "gone":
        files.cert.unlink()
    elif kind == "expired":
        authority.issue("depth", days=-1)
    else:
        other = new_authority("theirs").issue("other")
        shutil.copyfile(other.cert, files.cert)
        shutil.copyfile(other.key, files.key)
    assert identity.current() is before
    authority.issue("depth")
    assert identity.current().cert != before.cert


# ── on the wire ─────────────────────────────────────────────────────────────────────────────────────────────────────


class Echo:
    """Answers with the serial of the caller's certificate; its stream ends when it is told to."""

    def __init__(self) -> None:
        self.release: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def serve(self, server: grpc.Server) -> None:
        unary = grpc.unary_unary_rpc_method_handler(lambda request, context: _caller(context))
        stream = grpc.unary_stream_rpc_method_handler(self._stream)
        handlers = {"Who": unary, "Hold": stream}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", handlers),))

    def _stream(self, request: bytes, context: Any) -> Iterator[bytes]:
        yield _caller(context)
        yield self.release.get(timeout=WAIT_S)


def _caller(context: Any) -> bytes:
    [pem] = context.auth_context()["x509_pem_cert"]
    return str(_serial(pem)).encode()


@contextmanager
def _serving(identity: Identity) -> Iterator[tuple[str, Echo]]:
    server = grpc.server(futures.ThreadPoolExecutor(4))
    echo = Echo()
    echo.serve(server)
    port = bind(server, "127.0.0.1", 0, identity)
    server.start()
    try:
        yield f"127.0.0.1:{port}", echo
    finally:
        server.stop(0).wait()


def _shown(address: str, files: TlsFiles) -> int:
    """Return the serial of the certificate that a server shows in a new handshake."""
    context = ssl.create_default_context(cafile=files.ca)
    context.load_cert_chain(files.cert, files.key)
    context.set_alpn_protocols(["h2"])
    host, port = address.split(":")
    with (
        socket.create_connection((host, int(port)), WAIT_S) as plain,
        context.wrap_socket(plain, server_hostname=host) as wrapped,
    ):
        der = wrapped.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der).serial_number


def _refusal(address: str, identity: Identity | None) -> StageUnavailable:
    with open_channel(address, identity) as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/test.Echo/Who")(b"", timeout=WAIT_S)
    problem = from_rpc_error(caught.value, "depth")
    assert isinstance(problem, StageUnavailable)
    return problem


def test_a_server_shows_a_renewed_certificate_in_the_next_handshake(authority):
    files, mine = authority.issue("depth"), authority.issue("caller")
    with _serving(Identity(files)) as (address, _):
        assert _shown(address, mine) == _serial(files.cert.read_bytes())
        authority.issue("depth")
        assert _shown(address, mine) == _serial(files.cert.read_bytes())


def test_a_client_calls_with_its_renewed_certificate(authority):
    files = authority.issue("caller")
    with (
        _serving(Identity(authority.issue("depth"))) as (address, _),
        open_channel(address, Identity(files)) as channel,
    ):
        who = channel.unary_unary("/test.Echo/Who")
        assert int(who(b"", timeout=WAIT_S)) == _serial(files.cert.read_bytes())
        authority.issue("caller")
        assert int(who(b"", timeout=WAIT_S)) == _serial(files.cert.read_bytes())
        answer, _ = who.with_call(b"", timeout=WAIT_S)
        assert int(who.future(b"", timeout=WAIT_S).result()) == int(answer)


def test_a_call_under_way_ends_on_the_old_certificate(authority):
    files = authority.issue("caller")
    with (
        _serving(Identity(authority.issue("depth"))) as (address, echo),
        open_channel(address, Identity(files)) as channel,
    ):
        held = channel.unary_stream("/test.Echo/Hold")(b"", timeout=WAIT_S)
        before = next(held)
        authority.issue("caller")
        assert channel.unary_unary("/test.Echo/Who")(b"", timeout=WAIT_S) != before
        echo.release.put(b"done")
        assert list(held) == [b"done"]


def test_coroutines_call_with_their_renewed_certificate_and_end_old_calls(authority):
    files = authority.issue("caller")

    async def scenario(address: str, echo: Echo) -> None:
        async with open_aio_channel(address, Renewal(Identity(files))) as channel:
            await channel.channel_ready()
            who = channel.unary_unary("/test.Echo/Who")
            held = channel.unary_stream("/test.Echo/Hold")(b"", timeout=WAIT_S)
            before = await held.read()
            assert await who(b"", timeout=WAIT_S) == before
            authority.issue("caller")
            assert int(await who(b"", timeout=WAIT_S)) == _serial(files.cert.read_bytes())
            echo.release.put(b"done")
            assert await held.read() == b"done"

    with _serving(Identity(authority.issue("depth"))) as (address, echo):
        asyncio.run(asyncio.wait_for(scenario(address, echo), WAIT_S))


def test_both_sides_move_to_a_new_authority_one_after_the_other(authority, new_authority):
    """Old and new authority are trusted by all before the first certificate of the new one is shown."""
    following = new_authority("following")
    server, client = authority.issue("depth"), authority.issue("caller")
    with _serving(Identity(server)) as (address, _), open_channel(address, Identity(client)) as channel:
        who = channel.unary_unary("/test.Echo/Who")
        for files in (server, client):
            files.ca.write_bytes(authority.pem + following.pem)
            who(b"", timeout=WAIT_S)
        for files in (server, client):
            fresh = following.issue("fresh")
            fresh.ca.write_bytes(authority.pem + following.pem)
            _exchange_for(files, fresh)
            assert int(who(b"", timeout=WAIT_S)) == _serial(client.cert.read_bytes())
        for files in (server, client):
            files.ca.write_bytes(following.pem)
            assert int(who(b"", timeout=WAIT_S)) == _serial(client.cert.read_bytes())


@pytest.mark.parametrize(
    ("issued", "said"),
    [({"days": -1}, "has expired"), ({"names": ("mesher",)}, "another name")],
    ids=["expired", "name"],
)
def test_a_server_with_a_wrong_certificate_is_refused_with_the_reason(authority, issued, said):
    with _serving(Identity(authority.issue("depth", **issued))) as (address, _):
        assert said in _refusal(address, Identity(authority.issue("caller"))).message


def test_a_server_of_a_foreign_authority_is_refused_with_the_reason(authority, new_authority):
    with _serving(Identity(new_authority("theirs").issue("depth"))) as (address, _):
        problem = _refusal(address, Identity(authority.issue("caller")))
    assert problem.message == "depth shows a certificate of an authority that is not trusted here (--tls-ca)"


@pytest.mark.parametrize("kind", ["plaintext", "expired", "foreign"])
def test_a_caller_that_a_server_does_not_accept_is_told_where_to_look(authority, new_authority, kind):
    server = authority.issue("depth")
    if kind == "plaintext":
        caller = None
    elif kind == "expired":
        caller = Identity(authority.issue("caller", days=-1))
    else:
        files = new_authority("theirs").issue("caller")
        files.ca.write_bytes(authority.pem)
        caller = Identity(files)
    with _serving(Identity(server)) as (address, _):
        problem = _refusal(address, caller)
    assert "it wants TLS, or does not accept our certificate; its log says which" in problem.message


def test_tls_towards_a_server_without_is_told(authority):
    server = grpc.server(futures.ThreadPoolExecutor(2))
    port = bind(server, "127.0.0.1", 0)
    server.start()
    try:
        problem = _refusal(f"127.0.0.1:{port}", Identity(authority.issue("caller")))
    finally:
        server.stop(0).wait()
    assert "does not speak TLS, and this side does" in problem.message
