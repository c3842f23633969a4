"""A Redis that has no room left: what is refused, what goes on, and what is lost by evicting."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator

import msgspec
import pytest
import redis.asyncio as aioredis

from streams.cache.answers import AnswerStore, Claim, Finish
from streams.cache.batching import Batcher
from streams.cache.connection import AWAY
from streams.cache.invalidation import Invalidator
from streams.cache.ledger import JobLedger, LedgerReader
from streams.cache.names import RedisNames
from streams.cache.reader import AnswerReader
from streams.client import Precompute, ResultState
from streams.contracts.clock import SYSTEM_CLOCK, millis
from streams.contracts.jobs import Job, Why, new_job
from streams.contracts.keys import CacheKey, KeyPattern
from streams.contracts.states import Status
from streams.contracts.tasks import BUILTIN_TASKS
from streams.local.valkey import LocalValkey
from tests.support.answers import put_answer, stored_answer
from tests.support.eventually import eventually

NAMES = RedisNames("pc")
KEY = "ctr_prediction:video:v1"


@pytest.fixture(scope="module")
def cache() -> Iterator[LocalValkey]:
    with LocalValkey(config={"appendonly": "no"}) as made:
        yield made


@pytest.fixture
async def redis(cache: LocalValkey) -> AsyncIterator[aioredis.Redis]:
    client = aioredis.Redis.from_url(cache.url)
    await client.config_set("maxmemory", 0)
    await client.flushall()
    yield client
    await client.aclose()


def job(number: int = 1) -> Job:
    return new_job(
        CacheKey.of("ctr_prediction", f"v{number}", BUILTIN_TASKS),
        cause=f"test/{number}",
        user_id="u",
        priority=8,
        why=Why.UPLOAD,
        created_at=millis(SYSTEM_CLOCK.now()),
        input_version=2,
    )


async def fill(redis: aioredis.Redis) -> None:
    """No eviction, and not a byte of room."""
    await redis.config_set("maxmemory-policy", "noeviction")
    await redis.config_set("maxmemory", 1)
    with pytest.raises(aioredis.RedisError, match="maxmemory"):
        await redis.set("more", "x")


async def make_room(redis: aioredis.Redis) -> None:
    await redis.config_set("maxmemory", 0)


async def test_reads_go_on(redis: aioredis.Redis, cache: LocalValkey) -> None:
    await put_answer(redis, NAMES, stored_answer(KEY, 1))
    await fill(redis)
    assert (await AnswerReader(redis, NAMES).stored([KEY]))[0] is not None
    async with Precompute(redis_url=cache.url, memory_ttl_s=0) as client:
        assert (await client.get(KEY)).state is ResultState.FRESH
        # Reports of reads are refused; that is nobody's error but the report's.
        await client._reporter.flush()
        assert (await client.get(KEY)).state is ResultState.FRESH


async def test_an_answer_waits_for_room_and_is_written_then(redis: aioredis.Redis) -> None:
    store = AnswerStore(redis, NAMES, lease_s=10)
    claim = Claim(job(), "w-1")
    assert [grant.verdict for grant in await store.claim([claim])] == ["run"]
    await fill(redis)
    finishes = Batcher("finish", store.finish)
    await finishes.start()
    written = finishes.submit(Finish(claim, stored_answer(KEY, "late", version=2), 60_000, "completed"))
    await eventually(lambda: finishes.away_since is not None)
    assert not written.done()
    # Its lease is kept meanwhile: nobody computes the answer a second time.
    assert await store.renew([claim]) == [True]
    await make_room(redis)
    assert await written == "written"
    await finishes.stop()
    found = (await AnswerReader(redis, NAMES).stored([KEY]))[0]
    assert found is not None
    assert bytes(found.result) == b'"late"'


async def test_no_claim_is_granted_and_none_is_lost(redis: aioredis.Redis) -> None:
    store = AnswerStore(redis, NAMES, lease_s=10)
    claims = Batcher("claim", store.claim)
    await claims.start()
    await fill(redis)
    waiting = [claims.submit(Claim(job(number), f"w-{number}")) for number in range(3)]
    await eventually(lambda: claims.away_since is not None)
    await make_room(redis)
    assert [grant.verdict for grant in await asyncio.gather(*waiting)] == ["run"] * 3
    await claims.stop()


async def test_a_claim_is_given_back_though_nothing_fits(redis: aioredis.Redis) -> None:
    store = AnswerStore(redis, NAMES, lease_s=10)
    claim = Claim(job(), "w-1")
    await store.claim([claim])
    await fill(redis)
    assert await store.finish([Finish(claim, None, 0, "released")]) == ["released"]


@pytest.mark.parametrize("text", [KEY, "*:video:v1", "ctr_prediction:*", "*"])
async def test_invalidation_works_and_makes_room(redis: aioredis.Redis, text: str) -> None:
    await put_answer(redis, NAMES, stored_answer(KEY, "x" * 1000, age_s=1))
    await fill(redis)
    pattern = KeyPattern.parse(text, BUILTIN_TASKS)
    assert await Invalidator(redis, NAMES, BUILTIN_TASKS).invalidate(pattern) == 1
    assert (await AnswerReader(redis, NAMES).stored([KEY]))[0] is None


async def test_a_job_that_ran_meanwhile_brings_nothing_back(redis: aioredis.Redis) -> None:
    """The mark of an invalidation is written although nothing fits."""
    store = AnswerStore(redis, NAMES, lease_s=10)
    claim = Claim(job(), "w-1")
    await store.claim([claim])
    began = millis(SYSTEM_CLOCK.now()) - 50
    await fill(redis)
    await Invalidator(redis, NAMES, BUILTIN_TASKS).invalidate(KeyPattern.parse(KEY, BUILTIN_TASKS))
    await make_room(redis)
    old = msgspec.structs.replace(stored_answer(KEY, "old", version=2), started_at=began)
    assert await store.finish([Finish(claim, old, 60_000, "completed")]) == ["invalidated"]


async def test_the_ledger_drops_no_line_that_it_can_keep(redis: aioredis.Redis) -> None:
    ledger = JobLedger(redis, NAMES, ttl_s=60)
    one = job()
    await fill(redis)
    ledger.record(one, Status.QUEUED)
    await ledger.flush()
    await make_room(redis)
    await ledger.flush()
    record = await LedgerReader(redis, NAMES, BUILTIN_TASKS).job(one.id)
    assert record is not None
    assert record.status is Status.QUEUED


async def test_volatile_lru_evicts_old_answers_and_keeps_what_is_in_use(
    redis: aioredis.Redis,
) -> None:
    """Answers nobody read for long go first; leases, marks and floors of now stay; evicted is a miss."""
    store = AnswerStore(redis, NAMES, lease_s=60)
    reader = AnswerReader(redis, NAMES)
    first = await old_answers(redis)
    await Invalidator(redis, NAMES, BUILTIN_TASKS).invalidate(
        KeyPattern.parse("roas_prediction:*", BUILTIN_TASKS)
    )
    # LRU ages are counted in seconds.
    await eventually(lambda: _has_aged(redis, first))
    claim = Claim(job(), "w-1")
    await store.claim([claim])
    used = (await redis.info("memory"))["used_memory"]
    await redis.config_set("maxmemory-policy", "volatile-lru")
    await redis.config_set("maxmemory-samples", 10)
    await redis.config_set("maxmemory", used)
    for number in range(1_000):
        await put_answer(
            redis, NAMES, stored_answer(f"ctr_prediction:video:n{number}", secrets.token_hex(4096))
        )
    assert (await redis.info("stats"))["evicted_keys"] >= 500
    assert await store.renew([claim]) == [True]
    assert await redis.exists(NAMES.floors)
    found = await reader.stored([f"ctr_prediction:video:n{number}" for number in range(1_000)])
    assert sum(one is not None for one in found) >= 990
    stored = stored_answer(KEY, 1, version=2)
    assert await store.finish([Finish(claim, stored, 60_000, "completed")]) == ["written"]


async def old_answers(redis: aioredis.Redis) -> str:
    """Three thousand that may be evicted; the name of the first."""
    names = [NAMES.result(f"hook_analysis:video:v{number}") for number in range(3_000)]
    for name in names:
        await redis.set(name, b"x" * 4096, ex=3600)
    return names[0]


async def _has_aged(redis: aioredis.Redis, name: str) -> bool:
    return int(await redis.object("IDLETIME", name)) >= 2


async def test_what_cannot_be_evicted_counts_as_full(redis: aioredis.Redis) -> None:
    """Lists and counters have no TTL: a policy of `volatile-*` never takes them."""
    await redis.rpush("list", *[b"x" * 1024] * 100)
    await redis.config_set("maxmemory-policy", "volatile-lru")
    await redis.config_set("maxmemory", 1)
    with pytest.raises(AWAY):
        await AnswerStore(redis, NAMES, lease_s=10).claim([Claim(job(), "w-1")])
