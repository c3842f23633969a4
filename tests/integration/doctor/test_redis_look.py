"""The doctor's look at Redis, at a server that has what it complains about."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import redis

from streams.cache.names import RedisNames
from streams.doctor.cache import CacheLook, _version
from streams.doctor.findings import Level, Notes
from streams.local.valkey import LocalValkey
from streams.settings import Settings
from tests.integration.doctor.findings import Found, look

pytestmark = pytest.mark.redis


@pytest.fixture(scope="module")
def server() -> Iterator[LocalValkey]:
    """One whose configuration these tests change."""
    with LocalValkey(config={"maxmemory": "64mb"}) as cache:
        yield cache


async def changed(server: LocalValkey, **config: str) -> Found:
    with redis.Redis.from_url(server.url) as client:
        before = {name: client.config_get(name.replace("_", "-")) for name in config}
        for name, value in config.items():
            client.config_set(name.replace("_", "-"), value)
        try:
            return await look(CacheLook(Settings(redis_url=server.url)))
        finally:
            for found in before.values():
                for name, value in found.items():
                    client.config_set(name, value)


async def test_all_is_well(server: LocalValkey) -> None:
    found = await changed(server)
    assert {finding.level for finding in found.findings} == {Level.OK}
    assert found.one("version").seen.startswith("Valkey ")
    assert server.url.removeprefix("redis://") in found.one("reached").seen


async def test_no_server() -> None:
    found = await look(CacheLook(Settings(redis_url="redis://:hunter2@127.0.0.1:1/0")))
    assert found.failing == ["answers"]
    assert "no Redis answers at redis://127.0.0.1:1/0" in found.one("answers").seen
    assert "hunter2" not in str(found.findings)


async def test_a_policy_that_evicts_leases(server: LocalValkey) -> None:
    for policy in ("allkeys-lru", "volatile-ttl"):
        found = await changed(server, maxmemory_policy=policy)
        assert found.failing == ["eviction"]
        assert policy in found.one("eviction").seen


async def test_a_full_one(server: LocalValkey) -> None:
    with redis.Redis.from_url(server.url) as client:
        used = int(client.info("memory")["used_memory"])
    found = await changed(server, maxmemory=str(int(used * 0.9)))
    assert found.one("memory").level == Level.FAIL
    found = await changed(server, maxmemory=str(int(used * 1.15)))
    assert found.one("memory").level == Level.WARN
    found = await changed(server, maxmemory="0")
    assert found.one("memory").remedy.startswith("set maxmemory")


async def test_one_that_keeps_nothing(server: LocalValkey) -> None:
    found = await changed(server, appendonly="no")
    assert found.one("persistence").level == Level.WARN


async def test_a_publisher_with_another_partitioner(server: LocalValkey) -> None:
    names = RedisNames(Settings().namespace)
    bucket = names.counters_minute(int(time.time() // 60))
    with redis.Redis.from_url(server.url) as client:
        client.hincrbyfloat(bucket, "events_misrouted", 7)
    found = await changed(server)
    with redis.Redis.from_url(server.url) as client:
        client.delete(bucket)
    assert found.one("publishers").level == Level.WARN
    assert found.one("publishers").seen.startswith("7 events")
    assert "murmur2" in found.one("publishers").remedy


def test_one_that_is_too_old() -> None:
    notes = Notes("redis")
    _version(notes, {"redis_version": "6.2.14"})
    assert notes.findings[0].level == Level.FAIL
