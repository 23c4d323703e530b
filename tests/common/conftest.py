"""Certificates that tests make themselves."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from services.common.tls import TlsFiles

BOTH = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


class Authority:
    """Signs certificates into a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        basic = x509.BasicConstraints(ca=True, path_length=None)
        certificate = self._builder(self._name, self._key, 30).add_extension(basic, critical=True)
        self.pem = certificate.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def issue(
        self, name: str, *, days: float = 2, names: tuple[str, ...] = ("127.0.0.1", "localhost"), usages: tuple = BOTH
    ) -> TlsFiles:
        """Write a certificate, its key and this authority, each exchanged in one piece."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(subject, key, days)
        builder = builder.add_extension(x509.SubjectAlternativeName([_name(one) for one in names]), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        files = TlsFiles(*(self.folder / f"{name}.{end}" for end in ("crt", "key", "ca")))
        no_password = serialization.NoEncryption()
        _exchange(files.ca, self.pem)
        _exchange(files.cert, certificate.public_bytes(serialization.Encoding.PEM))
        _exchange(
            files.key, key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no_password)
        )
        return files

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: float) -> x509.CertificateBuilder:
        end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
        return x509.CertificateBuilder(
            self._name, subject, key.public_key(), x509.random_serial_number(), end - datetime.timedelta(days=40), end
        )


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _exchange(path: Path, data: bytes) -> None:
    aside = path.with_suffix(".part")
    aside.write_bytes(data)
    aside.replace(path)


@pytest.fixture
def new_authority(tmp_path: Path) -> Callable[[str], Authority]:
    """Makes certificate authorities; all write into one folder."""
    return lambda name: Authority(tmp_path, name)


@pytest.fixture
def authority(new_authority: Callable[[str], Authority]) -> Authority:
    """One of them."""
    return new_authority("ours")
