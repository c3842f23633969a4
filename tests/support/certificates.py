"""Certificates for a test: an authority, and what it signs, as files the servers and clients read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from streams.local.security import TlsFiles

LOOPBACK_NAMES = ("127.0.0.1", "localhost")


class Authority:
    """Signs certificates and writes them below a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True)
        self._ca = trustme.CA()
        self.ca = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(str(self.ca))

    def issue(
        self, name: str, *identities: str, ended_ago: timedelta | None = None, file: str | None = None
    ) -> TlsFiles:
        """`name` is the subject's common name; `identities` the hosts it is for, loopback if none."""
        end = datetime.now(UTC) - ended_ago if ended_ago is not None else None
        begin = end - timedelta(days=1) if end is not None else None
        issued = self._ca.issue_cert(
            *(identities or LOOPBACK_NAMES), common_name=name, not_before=begin, not_after=end
        )
        certificate = self._folder / f"{file or name}.crt"
        certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        key = self._folder / f"{file or name}.key"
        key.write_bytes(_pkcs8(issued.private_key_pem.bytes()))
        return TlsFiles(ca=self.ca, certificate=certificate, key=key)


def _pkcs8(pem: bytes) -> bytes:
    """The broker reads keys in this form alone."""
    key = load_pem_private_key(pem, password=None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
