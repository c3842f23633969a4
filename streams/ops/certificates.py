"""When a certificate ends, from its file: as much DER (X.690) as one field of X.509 takes (RFC 5280, 4.1)."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path

from streams.contracts.errors import ConfigurationError
from streams.ops.metrics import CERTIFICATE_EXPIRY

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
#: Tags of X.690 and RFC 5280 that are met on the way to the validity.
_EXPLICIT_VERSION, _UTC_TIME = 0xA0, 0x17


def export_expiry(kind: str, path: Path) -> None:
    """Sets the gauge of `kind` (`ca` or `client`) to the earliest end among the file's certificates."""
    CERTIFICATE_EXPIRY.labels(kind).set(min(end.timestamp() for end in read_ends(path)))


def read_ends(path: Path) -> list[datetime]:
    """The notAfter of every certificate of a PEM file; raises `ConfigurationError` where it holds none."""
    try:
        blocks = [part.split(_END)[0] for part in path.read_text().split(_BEGIN)[1:]]
        ends = [_not_after(ssl.PEM_cert_to_DER_cert(_BEGIN + block + _END)) for block in blocks]
    except (OSError, ValueError, IndexError) as exc:
        raise ConfigurationError(f"{path} is no readable PEM certificate: {exc}") from exc
    if not ends:
        raise ConfigurationError(f"{path} holds no certificate; a PEM file has a line {_BEGIN}")
    return ends


def _not_after(der: bytes) -> datetime:
    certificate = _Reader(der).enter().enter()
    if certificate.tag == _EXPLICIT_VERSION:
        certificate.skip()
    for _ in ("serial number", "signature algorithm", "issuer"):
        certificate.skip()
    validity = certificate.enter()
    validity.skip()
    # UTCTime has a year of two digits: 50 to 99 are 19xx (RFC 5280, 4.1.2.5.1), as %y does not say.
    text = validity.value().decode("ascii")
    if validity.tag == _UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


class _Reader:
    """Walks over tag, length, value; raises `IndexError` where the bytes end early."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def tag(self) -> int:
        return self._data[self._at]

    def value(self) -> bytes:
        start, end = self._bounds()
        if end > len(self._data):
            raise IndexError("the certificate ends early")
        return self._data[start:end]

    def enter(self) -> _Reader:
        return _Reader(self.value())

    def skip(self) -> None:
        self._at = self._bounds()[1]

    def _bounds(self) -> tuple[int, int]:
        length, start = self._data[self._at + 1], self._at + 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(self._data[start : start + size])
            start += size
        return start, start + length
