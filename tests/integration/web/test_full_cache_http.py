"""What callers of the API see while Redis has no room left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis

from streams.contracts.clock import SYSTEM_CLOCK, millis
from streams.contracts.jobs import Job, Priority, Why, encode_job, new_job
from streams.contracts.keys import CacheKey
from streams.contracts.tasks import BUILTIN_TASKS
from streams.local.valkey import LocalValkey
from tests.support.system import SystemUnderTest
from tests.support.waiting import wait_until


@pytest.fixture
def full(
    kafka: str, own_valkey: LocalValkey, tmp_path: Path
) -> Iterator[tuple[SystemUnderTest, redis.Redis]]:
    """A system whose Redis the test fills."""
    with (
        redis.Redis.from_url(own_valkey.url) as cache,
        SystemUnderTest(tmp_path, kafka, own_valkey.url) as system,
    ):
        system.start("worker", "api")
        yield system, cache


def test_reads_go_on_the_rest_says_why_and_catches_up(full: tuple[SystemUnderTest, redis.Redis]) -> None:
    system, cache = full
    api = system.http
    there, missing = "dashboard_data:user:there", "dashboard_data:user:missing"
    wait = {"Prefer": "wait=15"}
    assert api.get(f"/cache/{there}", headers=wait).status_code == 200

    cache.config_set("maxmemory", 1)
    assert api.get(f"/cache/{there}").status_code == 200
    assert api.get(f"/cache/{missing}").status_code == 404
    asked = api.get(f"/cache/{missing}", headers=wait)
    assert asked.status_code == 503
    assert "maxmemory" in asked.json()["detail"]
    assert asked.headers["Retry-After"] == "1"
    # Ready: a load balancer that took it out would take the reads too.
    ready = _ready(api)
    assert ready.status_code == 200
    assert "full" in ready.json()["redis_memory"]

    # A job that comes now waits for room; the operator can make some.
    job = _job(missing)
    system.send(system.topics.jobs(job.priority), encode_job(job), job.key)
    system.flush()
    worker = system.roles["worker"].metrics_url.replace("/metrics", "/readyz")
    wait_until(lambda: httpx.get(worker, trust_env=False).status_code == 503, what="a worker that waits")
    assert api.delete("/cache", params={"pattern": there}).json()["invalidated"] == 1

    cache.config_set("maxmemory", 0)
    wait_until(lambda: api.get(f"/cache/{missing}").status_code == 200, what="the answer that waited")
    wait_until(lambda: httpx.get(worker, trust_env=False).status_code == 200, what="the worker")


def _job(key: str) -> Job:
    parsed = CacheKey.parse(key, BUILTIN_TASKS)
    return new_job(
        parsed,
        cause="test/full",
        user_id=parsed.entity_id,
        priority=Priority.LOGIN,
        why=Why.LOGIN,
        created_at=millis(SYSTEM_CLOCK.now()),
        input_version=0,
    )


def _ready(api: httpx.Client) -> httpx.Response:
    root = str(api.base_url).removesuffix("/api/precompute/")
    return httpx.get(f"{root}/readyz", params={"verbose": True}, trust_env=False, timeout=30)
