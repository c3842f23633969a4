"""Ends of certificates, from files that `openssl req -x509` made; the ends are what openssl says."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from streams.contracts.errors import ConfigurationError
from streams.ops.certificates import export_expiry, read_ends
from streams.ops.metrics import CERTIFICATE_EXPIRY

#: Ends before 2050: its time has a year of two digits.
NEAR = """\
-----BEGIN CERTIFICATE-----
MIIBcjCCARmgAwIBAgIUA5Gjk+RD8YoSI+KxAFBJ4mCIV10wCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEbmVhcjAeFw0yNjExMjUwMDUwMzdaFw0yNzEyMzAwMDUwMzda
MA8xDTALBgNVBAMMBG5lYXIwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQy0wFb
FNrDImQDMqcQ8/djn0RQ1yyzb8ZuHrJnKIPaIXiQ7jJ24jXQjVwHW6OmYzVatjRa
VNOTIWSWTxAWkznQo1MwUTAdBgNVHQ4EFgQUhO78YLE+yvg3HUyh4f7URbYtx/kw
HwYDVR0jBBgwFoAUhO78YLE+yvg3HUyh4f7URbYtx/kwDwYDVR0TAQH/BAUwAwEB
/zAKBggqhkjOPQQDAgNHADBEAiAINdQgPi/1KiWreTDVV9gx/BuK6LF8lB0Ifz/b
1Dyh8gIgYpVuG5ksUq1vGYqAK/kXv8CCf+2jDbWwI4rEZobE3lc=
-----END CERTIFICATE-----
"""
NEAR_END = datetime(2027, 12, 30, 0, 50, 37, tzinfo=UTC)

#: Ends after 2049: its time has a year of four digits.
FAR = """\
-----BEGIN CERTIFICATE-----
MIIBdDCCARmgAwIBAgIUBfEbKjqdjJO/jrP6lx1jCEK5DwAwCgYIKoZIzj0EAwIw
DjEMMAoGA1UEAwwDZmFyMCAXDTI2MTEyNTAwNTAzN1oYDzIxMDkwMTE0MDA1MDM3
WjAOMQwwCgYDVQQDDANmYXIwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASzcqxt
U/R8FZtpKTpoimOkVObDkLa5Mv2yHhaQgIbx+krSMD4MbLrA2/fr5pm7IYBFFiFE
AAxMeCqsVF3eYRmao1MwUTAdBgNVHQ4EFgQUGJRPImTxkqkRvqEv3Zg04enZXdUw
HwYDVR0jBBgwFoAUGJRPImTxkqkRvqEv3Zg04enZXdUwDwYDVR0TAQH/BAUwAwEB
/zAKBggqhkjOPQQDAgNJADBGAiEA+5Tt6lL3yWfl1HctUyxClOgI5jUC9Dz5dGuW
G2amuGgCIQD7F5ckdnBiJJICc5WX/hDjRROL+W6mzv93NacYjGZQ2Q==
-----END CERTIFICATE-----
"""
FAR_END = datetime(2109, 1, 14, 0, 50, 37, tzinfo=UTC)


@pytest.mark.parametrize(("pem", "end"), [(NEAR, NEAR_END), (FAR, FAR_END)], ids=["utc", "generalized"])
def test_the_end_is_read(pem: str, end: datetime, tmp_path: Path) -> None:
    file = tmp_path / "one.pem"
    file.write_text(pem)
    assert read_ends(file) == [end]


def test_the_first_end_of_a_chain_counts(tmp_path: Path) -> None:
    file = tmp_path / "chain.pem"
    file.write_text(f"subject=/CN=far\n{FAR}\nsubject=/CN=near\n{NEAR}")
    export_expiry("ca", file)
    assert CERTIFICATE_EXPIRY.labels("ca")._value.get() == NEAR_END.timestamp()


@pytest.mark.parametrize(
    "text",
    ["", "no certificate", NEAR[:120], NEAR[:200] + NEAR[-60:]],
    ids=["empty", "text", "cut", "holed"],
)
def test_what_is_no_certificate_is_refused_with_its_name(text: str, tmp_path: Path) -> None:
    file = tmp_path / "odd.pem"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=r"odd\.pem"):
        read_ends(file)
