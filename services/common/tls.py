"""Who this process is to the others: its certificate, its key, and the authority that all of them trust.

Mutual TLS: a service shows its certificate and wants one of the same authority from whoever calls. The files are looked
at again before every handshake and every call, so that a certificate that was renewed is used without a restart. What
is read is tried first, in a handshake with ourselves in memory: a key of another certificate, an authority that did not
sign it, an expired date or a certificate that may not be a client's (a usual slip) are told at once and by name.
"""

from __future__ import annotations

import ssl
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import grpc

from services.common.errors import InvalidOption
from services.common.telemetry import metrics
from services.common.telemetry.logs import get_logger

_ROUNDS = 8  # of a handshake in memory; TLS 1.3 takes two
_log = get_logger()

_Stamp: TypeAlias = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class TlsFiles:
    """Where a certificate (with its chain), its key and the trusted authorities lie, each as PEM."""

    cert: Path
    key: Path
    ca: Path


@dataclass(frozen=True)
class Certificate:
    """What the files hold, as PEM.

    Attributes:
        cert, key, ca: the bytes.
        expires_s: end of its validity in seconds since 1970; 0 where peers refuse it already.
        problem: why a peer that trusts `ca` refuses it; empty where it does not.
    """

    cert: bytes
    key: bytes
    ca: bytes
    expires_s: float
    problem: str


def tls_files(cert: Path | None, key: Path | None, ca: Path | None) -> TlsFiles | None:
    """Return the three files, or None where TLS is not wanted.

    Raises:
        InvalidOption: some are named, but not all: half of it would mean plaintext, or calls from anybody.
    """
    given = {"tls-cert": cert, "tls-key": key, "tls-ca": ca}
    if cert and key and ca:
        return TlsFiles(cert, key, ca)
    missing = [name for name, path in given.items() if not path]
    if len(missing) == len(given):
        return None
    named = " and ".join(name for name in given if name not in missing)
    raise InvalidOption(f"{named} without {' and '.join(missing)}: TLS between services takes all three, or none")


class Identity:
    """The certificate of this process as it is now. Thread-safe.

    Args:
        files: where it lies; read now, and again whenever a file changes. A set that cannot be used leaves the last
            good one in use, with a line in the log.

    Raises:
        InvalidOption: a file cannot be read, or is not what it should be.
    """

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._lock = threading.Lock()
        self._stamp = _stamp(files)
        self._certificate = read_certificate(files)
        self._tell()

    def current(self) -> Certificate:
        """Return the certificate; the same object as long as it has not changed."""
        with self._lock:
            stamp = _stamp(self._files)
            if stamp != self._stamp:
                self._stamp = stamp
                self._renew()
            return self._certificate

    def server_credentials(self) -> grpc.ServerCredentials:
        """Return credentials that show the current certificate and want one of every client."""

        def configuration() -> grpc.ServerCertificateConfiguration:
            now = self.current()
            return grpc.ssl_server_certificate_configuration([(now.key, now.cert)], now.ca)

        return grpc.dynamic_ssl_server_credentials(configuration(), configuration, require_client_authentication=True)

    def _renew(self) -> None:
        try:
            fresh = read_certificate(self._files)
        except InvalidOption as problem:
            _log.error("certificate not renewed", reason=problem.message)
            return
        if fresh.problem and not self._certificate.problem:
            _log.error("certificate not renewed", reason=fresh.problem)
            return
        self._certificate = fresh
        self._tell()

    def _tell(self) -> None:
        now = self._certificate
        metrics.CERTIFICATE_EXPIRES.set(now.expires_s or 1.0)  # not 0, which is no certificate at all
        if now.problem:
            _log.error("certificate of no use", reason=now.problem)
            return
        expires = datetime.fromtimestamp(now.expires_s, UTC).isoformat()
        _log.info("certificate", file=str(self._files.cert), expires=expires)


def environment_identity(environment: Mapping[str, str]) -> Identity | None:
    """Return the identity that `UNFLAT_TLS_CERT`, `UNFLAT_TLS_KEY` and `UNFLAT_TLS_CA` name, or None.

    Raises:
        InvalidOption: some are set, but not all, or they cannot be used.
    """
    named = (environment.get(f"UNFLAT_TLS_{part}") for part in ("CERT", "KEY", "CA"))
    cert, key, ca = (Path(path) if path else None for path in named)
    files = tls_files(cert, key, ca)
    return None if files is None else Identity(files)


def load_identity(files: TlsFiles | None) -> Identity | None:
    """Return the identity of this process, or None; files that cannot be used end the process with a sentence."""
    try:
        return None if files is None else Identity(files)
    except InvalidOption as problem:
        sys.stderr.write(f"{problem.message} (--tls-cert, --tls-key, --tls-ca)\n")
        raise SystemExit(2) from None


def channel_credentials(certificate: Certificate) -> grpc.ChannelCredentials:
    """Return credentials of a client that shows `certificate` and trusts its authority alone."""
    return grpc.ssl_channel_credentials(certificate.ca, certificate.key, certificate.cert)


def read_certificate(files: TlsFiles) -> Certificate:
    """Return what the files hold, tried in a handshake with itself.

    Raises:
        InvalidOption: a file cannot be read, is no PEM, or the key is not the certificate's.
    """
    try:
        cert, key, ca = (path.read_bytes() for path in (files.cert, files.key, files.ca))
    except OSError as problem:
        raise InvalidOption(f"TLS: cannot read {problem.filename}: {problem.strerror}") from None
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False  # the name is the caller's business
    for context in (server, client):
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_cert_chain(files.cert, files.key, password=lambda: "")  # an encrypted key must not ask
        except ssl.SSLError as problem:
            said = problem.reason or "not readable as PEM"
            raise InvalidOption(
                f"TLS: {files.cert} and {files.key} are not a certificate and its key: {said}"
            ) from None
        try:
            context.load_verify_locations(files.ca)
        except ssl.SSLError as problem:
            raise InvalidOption(f"TLS: {files.ca} holds no authority's certificate ({_reason(problem)})") from None
    try:
        expires_s, refusal = _try_handshake(server, client), ""
    except ssl.SSLError as refused:
        expires_s, refusal = 0.0, f"whoever trusts {files.ca} refuses {files.cert}: {_reason(refused)}"
    return Certificate(cert, key, ca, expires_s, refusal)


def _try_handshake(server: ssl.SSLContext, client: ssl.SSLContext) -> float:
    """Let both sides check the certificate, and return when it expires in seconds since 1970."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = (client.wrap_bio(to_client, to_server), server.wrap_bio(to_server, to_client, server_side=True))
    for _ in range(_ROUNDS):
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    seen = sides[0].getpeercert() or {}
    until = seen.get("notAfter")
    return float(ssl.cert_time_to_seconds(until)) if isinstance(until, str) else time.time()


def _reason(problem: ssl.SSLError) -> str:
    if isinstance(problem, ssl.SSLCertVerificationError):
        return problem.verify_message
    return problem.reason.lower().replace("_", " ") if problem.reason else "not readable as PEM"


def _stamp(files: TlsFiles) -> _Stamp:
    """Return what changes when a file is written or exchanged; a mounted secret exchanges a link to their folder."""
    found = []
    for path in (files.cert, files.key, files.ca):
        try:
            stat = path.stat()
            found.append((stat.st_ino, stat.st_size, stat.st_mtime_ns))
        except OSError:
            found.append((0, 0, 0))
    return tuple(found)
