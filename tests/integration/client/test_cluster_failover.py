"""A master of a cluster that dies under its readers, waiters and workers: its replica takes over."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import pytest
from redis.asyncio.cluster import RedisCluster
from redis.crc import key_slot

from streams.cache.answers import Claim
from streams.cache.batching import Batcher
from streams.cache.codec import encode_stored
from streams.cache.connection import connect
from streams.cache.names import RedisNames
from streams.cache.slots import SlottedStore
from streams.client import Precompute, ResultState
from streams.contracts.clock import SYSTEM_CLOCK, millis
from streams.contracts.jobs import Job, Why, new_job
from streams.contracts.keys import CacheKey
from streams.contracts.tasks import BUILTIN_TASKS
from streams.local.valkey import LocalValkey
from streams.settings import load_settings
from tests.support.answers import stored_answer
from tests.support.cluster import SLOTS, cluster_url, three_nodes_and_a_replica
from tests.support.eventually import eventually

NAMES = RedisNames("pc")
#: Far above the second that each call allows itself: only a hang takes so long.
HANGS_S = 20.0


@pytest.fixture
def nodes() -> Iterator[tuple[Sequence[LocalValkey], LocalValkey]]:
    with three_nodes_and_a_replica() as found:
        yield found


def keys_of_the_first(count: int) -> list[str]:
    """Keys whose slots the first master has."""
    found = (f"ctr_prediction:video:v{number}" for number in range(10_000))
    mine = [key for key in found if key_slot(NAMES.result(key).encode()) < SLOTS // 3]
    return mine[:count]


async def put(port: int, key: str) -> None:
    writer = RedisCluster(host="127.0.0.1", port=port)
    await writer.set(NAMES.result(key), encode_stored(stored_answer(key, key)))
    await writer.execute_command("SPUBLISH", NAMES.done_channel(key), "completed")
    await writer.aclose()


async def test_readers_and_waiters_get_through(nodes: tuple[Sequence[LocalValkey], LocalValkey]) -> None:
    masters, _ = nodes
    key, late = keys_of_the_first(2)
    await put(masters[0].port, key)
    async with Precompute(redis_url=cluster_url(masters), memory_ttl_s=0, hard_timeout_s=1.0) as client:
        assert (await client.get(key)).source == "cache"
        waiting = asyncio.create_task(client._rooms.wait(late, 120))
        await eventually(lambda: client._rooms.count == 1)
        masters[0].kill()
        states = set()
        async with asyncio.timeout(3 * HANGS_S):
            while ResultState.FRESH not in states or not states - {ResultState.FRESH}:
                async with asyncio.timeout(HANGS_S):
                    states.add((await client.get(key)).state)
        # A copy in memory served in between, marked as what it is.
        assert states == {ResultState.STALE, ResultState.FRESH}
        await put(masters[1].port, late)
        async with asyncio.timeout(HANGS_S):
            assert await waiting is not None


async def test_a_workers_claims_wait_for_the_replica(
    nodes: tuple[Sequence[LocalValkey], LocalValkey],
) -> None:
    masters, _ = nodes
    redis = connect(load_settings(redis_url=cluster_url(masters)))
    claims = Batcher("claim", SlottedStore(redis, NAMES, lease_s=10).claim)
    await claims.start()
    assert (await claims.submit(Claim(_job("v-first"), "w-0"))).verdict == "run"
    masters[0].kill()
    ids = [key.rpartition(":")[2] for key in keys_of_the_first(20)] + ["other-1", "other-2", "other-3"]
    waiting = [claims.submit(Claim(_job(one), f"w-{one}")) for one in ids]
    async with asyncio.timeout(3 * HANGS_S):
        assert {grant.verdict for grant in await asyncio.gather(*waiting)} == {"run"}
    await claims.stop()
    await redis.aclose()


def _job(entity_id: str) -> Job:
    return new_job(
        CacheKey.of("ctr_prediction", entity_id, BUILTIN_TASKS),
        cause=f"test/{entity_id}",
        user_id="u",
        priority=8,
        why=Why.UPLOAD,
        created_at=millis(SYSTEM_CLOCK.now()),
        input_version=1,
    )
