"""What keeps us out of Redis is said in one line that names what to change."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.cache.access import require_access
from streams.contracts.errors import ConfigurationError
from streams.local.security import CacheSecurity
from streams.local.valkey import LocalValkey
from streams.settings import Settings
from tests.conftest import Cache
from tests.security.closed import Closed, password_of, run_command
from tests.support.certificates import Authority

pytestmark = [pytest.mark.redis, pytest.mark.timeout(120)]


async def told(url: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        await require_access(Settings(redis_url=url))
    text = str(caught.value)
    assert "\n" not in text
    assert "hunter2" not in text
    assert password_of("worker") not in text
    return text


async def test_who_may_come_in_does(closed_cache: LocalValkey, valkey: str) -> None:
    for role in ("streams", "worker", "api", "client"):
        await require_access(Settings(redis_url=closed_cache.url_of(role, password_of(role))))
    await require_access(Settings(redis_url=valkey))


async def test_a_server_that_is_away_stops_nobody() -> None:
    await require_access(Settings(redis_url="redis://127.0.0.1:1/0"))
    await require_access(Settings(redis_url="rediss://127.0.0.1:1/0"))


async def test_wrong_credentials(closed_cache: LocalValkey, authority: Authority) -> None:
    assert "refuses the user worker; check user" in await told(closed_cache.url_of("worker", "hunter2"))
    bare = f"rediss://127.0.0.1:{closed_cache.port}/0?ssl_ca_certs={authority.ca}"
    assert "asks for a password" in await told(bare)


async def test_wrong_certificates(
    closed_cache: LocalValkey, stranger: Authority, authority: Authority, tls_server: Path
) -> None:
    place = f"rediss://worker:hunter2@127.0.0.1:{closed_cache.port}/0"
    assert "add ?ssl_ca_certs=" in await told(place)
    assert "not accepted (" in await told(f"{place}?ssl_ca_certs={stranger.ca}")
    assert "a file that REDIS_URL names" in await told(f"{place}?ssl_ca_certs=/absent/ca.pem")
    elsewhere = authority.issue("cache", "redis.example", file="redis-elsewhere")
    with LocalValkey(program=tls_server, security=CacheSecurity(tls=elsewhere)) as other:
        assert "not accepted (IP address mismatch" in await told(other.url)


async def test_the_wrong_protocol(closed_cache: LocalValkey, valkey_handle: Cache) -> None:
    assert "speaks TLS; write REDIS_URL with rediss://" in await told(
        f"redis://worker:hunter2@127.0.0.1:{closed_cache.port}/0"
    )
    assert "speaks no TLS there" in await told(valkey_handle.url.replace("redis://", "rediss://"))


@pytest.mark.kafka
@pytest.mark.parametrize("role", ["api", "worker", "streams"])
def test_a_role_ends_with_that_one_line(closed: Closed, role: str) -> None:
    environment = closed.environment(role) | {"REDIS_URL": closed.cache.url_of(role, "hunter2")}
    done = run_command([role], environment)
    assert done.returncode == 1
    told = [line for line in done.stderr.splitlines() if line.startswith("precompute: ")]
    line = (
        f"precompute: the Redis at rediss://127.0.0.1:{closed.cache.port}/0 refuses the user {role}; "
        "check user and password in REDIS_URL"
    )
    assert told == [line]
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr
