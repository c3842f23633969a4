"""A master that dies under its readers, waiters and workers, behind Sentinel."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
import redis.asyncio as aioredis

from streams.cache.answers import AnswerStore, Claim
from streams.cache.batching import Batcher
from streams.cache.connection import connect
from streams.cache.names import RedisNames
from streams.client import Precompute, PrecomputeSync, ResultState
from streams.contracts.clock import SYSTEM_CLOCK, millis
from streams.contracts.jobs import Job, Why, new_job
from streams.contracts.keys import CacheKey
from streams.contracts.tasks import BUILTIN_TASKS
from streams.settings import load_settings
from tests.support.answers import put_answer, stored_answer
from tests.support.eventually import eventually
from tests.support.sentinel import Watched, watched

NAMES = RedisNames("pc")
KEY = "ctr_prediction:video:v1"
LATE = "ctr_prediction:video:late"
#: Far above the second that each call allows itself: only a hang takes so long.
HANGS_S = 15.0


@pytest.fixture
def servers() -> Iterator[Watched]:
    with watched() as found:
        yield found


async def put(url: str, key: str) -> None:
    async with aioredis.Redis.from_url(url) as writer:
        await put_answer(writer, NAMES, stored_answer(key, key))
        await writer.spublish(NAMES.done_channel(key), "completed")


async def test_readers_and_waiters_get_through_a_failover(servers: Watched) -> None:
    await put(servers.master.url, KEY)
    async with Precompute(redis_url=servers.url, memory_ttl_s=60, hard_timeout_s=1.0) as client:
        assert (await client.get(KEY)).state is ResultState.FRESH
        await eventually(lambda: client._memory.is_heard)
        waiting = asyncio.create_task(client._rooms.wait(LATE, 60))
        await eventually(lambda: client._rooms.count == 1)

        servers.master.kill()
        states = set()
        while True:
            client._memory.forget()
            async with asyncio.timeout(HANGS_S):
                result = await client.get(KEY)
            states.add((result.state, result.reason))
            if result.source == "cache":
                break
        # In between the copy in memory served, marked as what it is.
        assert states == {(ResultState.STALE, "cache_away"), (ResultState.FRESH, None)}
        await put(servers.replica.url, LATE)
        async with asyncio.timeout(HANGS_S):
            assert await waiting is not None
        await eventually(lambda: client._memory.is_heard)


async def test_a_workers_claims_wait_for_the_new_master(servers: Watched) -> None:
    redis = connect(load_settings(redis_url=servers.url))
    claims = Batcher("claim", AnswerStore(redis, NAMES, lease_s=10).claim)
    await claims.start()
    first = await claims.submit(Claim(_job(1), "w-1"))
    assert first.verdict == "run"
    servers.master.kill()
    waiting = [claims.submit(Claim(_job(number), f"w-{number}")) for number in range(2, 20)]
    await eventually(lambda: claims.away_since is not None)
    async with asyncio.timeout(2 * HANGS_S):
        assert {grant.verdict for grant in await asyncio.gather(*waiting)} == {"run"}
    servers.wait_promoted()
    await claims.stop()
    await redis.aclose()


def test_code_without_a_loop_gets_through_too(servers: Watched) -> None:
    asyncio.run(put(servers.master.url, KEY))
    with PrecomputeSync(redis_url=servers.url, memory_ttl_s=0, hard_timeout_s=1.0) as client:
        assert client.get(KEY).state is ResultState.FRESH
        servers.master.kill()
        servers.wait_promoted()
        while client.get(KEY).source != "cache":
            pass


def _job(number: int) -> Job:
    return new_job(
        CacheKey.of("ctr_prediction", f"v{number}", BUILTIN_TASKS),
        cause=f"test/{number}",
        user_id="u",
        priority=8,
        why=Why.UPLOAD,
        created_at=millis(SYSTEM_CLOCK.now()),
        input_version=1,
    )
