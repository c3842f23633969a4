"""A cluster whose nodes speak TLS alone, also to each other; each role comes as a user of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
import redis.asyncio as aioredis
from redis.exceptions import RedisError

from streams.cache.answers import Claim, Finish
from streams.cache.cluster import is_cluster
from streams.cache.connection import AWAY, connect
from streams.cache.names import RedisNames
from streams.cache.reader import AnswerReader
from streams.cache.slots import SlottedStore
from streams.client import Precompute, ResultState
from streams.contracts.clock import SYSTEM_CLOCK, millis
from streams.contracts.jobs import Job, Why, new_job
from streams.contracts.keys import CacheKey
from streams.contracts.tasks import BUILTIN_TASKS
from streams.local.security import CacheSecurity
from streams.local.valkey import LocalValkey
from streams.settings import load_settings
from streams.web.waiting import AnswerWaiter
from tests.security.closed import NAMESPACE, closed_rules, password_of
from tests.support.answers import stored_answer
from tests.support.certificates import Authority
from tests.support.cluster import cluster_url, three_nodes
from tests.support.eventually import eventually

NAMES = RedisNames(NAMESPACE)
#: Enough that every node has some.
COUNT = 30


@pytest.fixture(scope="module")
def nodes(authority: Authority, tls_server: Path) -> Iterator[Sequence[LocalValkey]]:
    security = CacheSecurity(tls=authority.issue("node"), users=closed_rules())
    with three_nodes(security, tls_server) as found:
        yield found


def url_of(nodes: Sequence[LocalValkey], role: str, ca: Path) -> str:
    return cluster_url(nodes, login=f"{role}:{quote(password_of(role), safe='')}@", ca=ca)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[aioredis.Redis]:
    client = connect(load_settings(redis_url=url))
    try:
        yield client
    finally:
        await client.aclose()


def jobs(kind: str) -> list[Job]:
    now_ms = millis(SYSTEM_CLOCK.now())
    return [
        new_job(
            CacheKey.of("ctr_prediction", f"{kind}-{number}", BUILTIN_TASKS),
            cause=f"test/{number}",
            user_id="u",
            priority=8,
            why=Why.UPLOAD,
            created_at=now_ms,
            input_version=1,
        )
        for number in range(COUNT)
    ]


async def compute(redis: aioredis.Redis, wanted: Sequence[Job]) -> None:
    store = SlottedStore(redis, NAMES, lease_s=10)
    claims = [Claim(job, f"w-{job.id}") for job in wanted]
    assert {grant.verdict for grant in await store.claim(claims)} == {"run"}
    assert await store.renew(claims) == [True] * len(claims)
    ends = []
    for claim in claims:
        stored = stored_answer(claim.job.key, claim.job.key)
        ends.append(Finish(claim, stored, 600_000, "completed"))
    assert set(await store.finish(ends)) == {"written"}


async def test_a_worker_computes_and_a_waiting_reader_of_the_api_hears_of_it(
    nodes: Sequence[LocalValkey], authority: Authority
) -> None:
    wanted = jobs("waited")
    async with (
        connected(url_of(nodes, "worker", authority.ca)) as worker,
        connected(url_of(nodes, "api", authority.ca)) as api,
    ):
        assert is_cluster(worker)
        reader = AnswerReader(api, NAMES)
        waiter = AnswerWaiter(api, NAMES, reader, 1_000)
        await waiter.start()
        waiting = [asyncio.create_task(waiter.wait(job.key, 30)) for job in wanted]
        await eventually(lambda: waiter.count == COUNT)
        await compute(worker, wanted)
        found = await asyncio.gather(*waiting)
        await waiter.stop()
        assert [one is not None and one.key for one in found] == [job.key for job in wanted]
        assert all(await reader.stored([job.key for job in wanted]))


async def test_an_application_reads_as_a_user_who_may_only_read(
    nodes: Sequence[LocalValkey], authority: Authority
) -> None:
    wanted = jobs("read")
    async with connected(url_of(nodes, "worker", authority.ca)) as worker:
        await compute(worker, wanted)
    url = url_of(nodes, "client", authority.ca)
    async with Precompute(redis_url=url, namespace=NAMESPACE, memory_ttl_s=0) as client:
        found = await client.get_many([job.key for job in wanted])
    assert {one.state for one in found.values()} == {ResultState.FRESH}
    async with connected(url) as redis:
        with pytest.raises(RedisError, match="no permissions"):
            await redis.set(NAMES.result(wanted[0].key), b"mine")


async def test_no_node_speaks_without_tls_or_to_one_who_distrusts_it(
    nodes: Sequence[LocalValkey], stranger: Authority
) -> None:
    for url in (cluster_url(nodes), url_of(nodes, "worker", stranger.ca)):
        async with connected(url) as client:
            with pytest.raises(AWAY):
                await client.get("a")
