"""Every form of a Redis's address, and what is told about a wrong one."""

from __future__ import annotations

import pytest

from streams.cache.address import parse_address, safe_address
from streams.contracts.errors import ConfigurationError


def test_a_cluster_has_hosts_a_login_and_tls() -> None:
    found = parse_address("rediss+cluster://me:p%40ss@a:7000,b/?ssl_ca_certs=/ca.pem&ssl_certfile=/c.pem")
    assert found.kind == "cluster"
    assert found.hosts == (("a", 7000), ("b", 6379))
    assert found.options == {
        "username": "me",
        "password": "p@ss",
        "ssl": True,
        "ssl_ca_certs": "/ca.pem",
        "ssl_certfile": "/c.pem",
    }


def test_sentinels_have_a_login_of_their_own_and_the_same_tls() -> None:
    found = parse_address(
        "rediss+sentinel://me:secret@a,b:7/main/3?ssl_ca_certs=/ca.pem"
        "&sentinel_username=watch&sentinel_password=w%2Fd"
    )
    assert found.kind == "sentinel"
    assert (found.service, found.hosts) == ("main", (("a", 26379), ("b", 7)))
    assert found.options == {
        "username": "me", "password": "secret", "ssl": True, "ssl_ca_certs": "/ca.pem", "db": 3,
    }  # fmt: skip
    assert found.sentinel_options == {
        "ssl": True, "ssl_ca_certs": "/ca.pem", "username": "watch", "password": "w/d",
    }  # fmt: skip


def test_a_plain_one_has_no_tls() -> None:
    assert parse_address("redis+cluster://a:1").options == {}
    assert parse_address("redis+sentinel://a/s").options == {"db": 0}


@pytest.mark.parametrize(
    "url",
    [
        "redis+cluster://",
        "redis+cluster://hunter2@a:1,:2",
        "redis+cluster://:hunter2@a:no",
        "redis+sentinel://:hunter2@a:1",
        "redis+sentinel://:hunter2@a:1/s/hunter2",
        "redis+sentinel://:hunter2@a:1/s?db=hunter2",
        "http+cluster://hunter2@a",
        "redis+else://hunter2@a",
        "redis://:hun/ter2@h:6379/0",
    ],
)
def test_a_wrong_one_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigurationError, match="REDIS_URL") as caught:
        parse_address(url)
    assert "hun" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rediss+sentinel://me:hunter2@a:1,b:2/s/0?sentinel_password=x", "rediss+sentinel://a:1,b:2/s/0"),
        ("redis+cluster://:hunter2@a,b:2", "redis+cluster://a,b:2"),
        ("unix://me:hunter2@/run/redis.sock", "unix:///run/redis.sock"),
        ("redis://[::1]:7/0", "redis://[::1]:7/0"),
    ],
)
def test_it_is_shown_without_its_login(url: str, shown: str) -> None:
    assert safe_address(url) == shown
