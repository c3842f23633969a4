"""What the roles do with Redis, on a cluster of three nodes: from the claim to the waiting reader."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import msgspec
import pytest
import redis.asyncio as aioredis

from streams.cache.answers import Claim, Finish
from streams.cache.batching import Batcher
from streams.cache.cluster import is_cluster
from streams.cache.connection import AWAY, connect
from streams.cache.counters import FleetCounters
from streams.cache.inputs import MirrorReader
from streams.cache.invalidation import Invalidator
from streams.cache.job_search import JobFilter, JobSearch
from streams.cache.ledger import JobLedger, LedgerReader
from streams.cache.memory import read_memory
from streams.cache.names import RedisNames
from streams.cache.presence import ALL_WORKERS, WorkerInfo, WorkerPresence, ask_quiet, living_workers
from streams.cache.reader import AnswerReader
from streams.cache.slots import SlottedStore
from streams.contracts.clock import SYSTEM_CLOCK, millis
from streams.contracts.jobs import Job, Why, new_job
from streams.contracts.keys import CacheKey, KeyPattern
from streams.contracts.states import Status
from streams.contracts.tasks import BUILTIN_TASKS
from streams.settings import load_settings
from streams.web.waiting import AnswerWaiter
from tests.support.answers import stored_answer
from tests.support.cluster import cluster_url, three_nodes
from tests.support.eventually import eventually

NAMES = RedisNames("pc")
COUNT = 60


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with three_nodes() as nodes:
        yield cluster_url(nodes)


@pytest.fixture
async def redis(url: str) -> AsyncIterator[aioredis.Redis]:
    client = connect(load_settings(redis_url=url))
    assert is_cluster(client)
    await client.flushall()
    yield client
    await client.aclose()


def jobs(version: int = 1) -> list[Job]:
    """Of keys all over the slots."""
    return [
        new_job(
            CacheKey.of("ctr_prediction", f"v{number}", BUILTIN_TASKS),
            cause=f"test/{number}/{version}",
            user_id="u",
            priority=8,
            why=Why.UPLOAD,
            created_at=millis(SYSTEM_CLOCK.now()),
            input_version=version,
        )
        for number in range(COUNT)
    ]


def ends(claims: list[Claim], version: int = 1, *, begun_ms: int | None = None) -> list[Finish]:
    found = []
    for claim in claims:
        stored = stored_answer(claim.job.key, claim.job.key, version=version)
        if begun_ms is not None:
            stored = msgspec.structs.replace(stored, started_at=begun_ms)
        found.append(Finish(claim, stored, 600_000, "completed"))
    return found


async def compute(redis: aioredis.Redis, version: int = 1) -> list[str]:
    """Claims and writes an answer for each key; the keys."""
    store = SlottedStore(redis, NAMES, lease_s=10)
    claims = [Claim(job, f"w-{version}-{number}") for number, job in enumerate(jobs(version))]
    assert {grant.verdict for grant in await store.claim(claims)} == {"run"}
    assert await store.renew(claims) == [True] * COUNT
    assert set(await store.finish(ends(claims, version))) == {"written"}
    return [claim.job.key for claim in claims]


async def test_a_batch_of_claims_spreads_over_the_slots_and_keeps_its_order(redis: aioredis.Redis) -> None:
    store = SlottedStore(redis, NAMES, lease_s=10)
    first, second = (
        [Claim(job, f"{who}-{number}") for number, job in enumerate(jobs())] for who in ("a", "b")
    )
    await store.claim(first[::2])
    verdicts = [grant.verdict for grant in await store.claim(second)]
    assert verdicts == ["held" if number % 2 == 0 else "run" for number in range(COUNT)]
    assert await store.renew(first) == [number % 2 == 0 for number in range(COUNT)]


async def test_answers_are_written_once_indexed_and_read_at_once(redis: aioredis.Redis) -> None:
    keys = await compute(redis)
    found = await AnswerReader(redis, NAMES).stored(keys)
    assert [one is not None and one.key for one in found] == keys
    assert await redis.zcard(NAMES.index("ctr_prediction")) == COUNT
    store = SlottedStore(redis, NAMES, lease_s=10)
    again = [Claim(job, f"again-{number}") for number, job in enumerate(jobs())]
    assert {grant.verdict for grant in await store.claim(again)} == {"fresh"}


async def test_a_batcher_serves_many_callers(redis: aioredis.Redis) -> None:
    claims = Batcher("claim", SlottedStore(redis, NAMES, lease_s=10).claim)
    await claims.start()
    grants = await asyncio.gather(*(claims.submit(Claim(job, job.id)) for job in jobs()))
    assert {grant.verdict for grant in grants} == {"run"}
    await claims.stop()


@pytest.mark.parametrize("text", ["ctr_prediction:*", "*", "*:video:v1", "ctr_prediction:video:v1"])
async def test_invalidation_takes_what_matches_and_no_running_job_undoes_it(
    redis: aioredis.Redis, text: str
) -> None:
    keys = await compute(redis)
    began = millis(SYSTEM_CLOCK.now()) - 1
    store = SlottedStore(redis, NAMES, lease_s=10)
    running = [Claim(job, f"late-{number}") for number, job in enumerate(jobs(version=2))]
    await store.claim(running)
    invalidator = Invalidator(redis, NAMES, BUILTIN_TASKS)
    pattern = KeyPattern.parse(text, BUILTIN_TASKS)
    expected = COUNT if text in ("*", "ctr_prediction:*") else 1
    assert await invalidator.preview(pattern) == expected
    assert await invalidator.invalidate(pattern, at_ms=millis(SYSTEM_CLOCK.now())) == expected
    gone = [key for key in keys if expected == COUNT or key.endswith(":v1")]
    late = [end for end in ends(running, 2, begun_ms=began) if end.claim.job.key in gone]
    await store.finish(late)
    assert await AnswerReader(redis, NAMES).stored(gone) == [None] * len(gone)


async def test_readers_who_wait_are_woken_by_the_node_that_has_their_key(redis: aioredis.Redis) -> None:
    reader = AnswerReader(redis, NAMES)
    waiter = AnswerWaiter(redis, NAMES, reader, 1_000)
    await waiter.start()
    waiting = [asyncio.create_task(waiter.wait(job.key, 30)) for job in jobs()]
    await eventually(lambda: waiter.count == COUNT)
    await compute(redis)
    found = await asyncio.gather(*waiting)
    assert [one is not None and one.key for one in found] == [job.key for job in jobs()]
    await waiter.stop()


async def test_ledger_and_search(redis: aioredis.Redis) -> None:
    ledger = JobLedger(redis, NAMES, ttl_s=600)
    for job in jobs():
        ledger.record(job, Status.QUEUED)
    await ledger.flush()
    reader = LedgerReader(redis, NAMES, BUILTIN_TASKS)
    search = JobSearch(redis, NAMES, ledger=reader, tasks=list(BUILTIN_TASKS))
    found, _ = await search.page(JobFilter(user_id="u"), limit=100)
    assert {record.facts.id for record in found} == {job.id for job in jobs()}
    assert (await search.count([Status.QUEUED])) == {Status.QUEUED: COUNT}
    assert (await reader.count_by_task())["ctr_prediction"] == COUNT


async def test_workers_are_seen_and_hear_that_they_shall_be_quiet(redis: aioredis.Redis) -> None:
    heard: list[bool] = []
    info = WorkerInfo(id="w1", slots=3, in_progress=0, started_at=0.0, host="h", pid=1)
    await ask_quiet(redis, NAMES, ALL_WORKERS, quiet=True)
    presence = WorkerPresence(redis, NAMES, lambda: info, heard.append)
    await presence.start()
    await eventually(lambda: living_workers(redis, NAMES))
    assert heard[-1]
    await presence.stop()
    assert await living_workers(redis, NAMES) == []


async def test_counters_inputs_and_memory(redis: aioredis.Redis) -> None:
    counters = FleetCounters(redis, NAMES)
    counters.add("tasks_completed", 2)
    await counters.flush()
    assert (await counters.totals())["tasks_completed"] == 2
    assert (await counters.last_hour())["tasks_completed"] == 2
    mirror = MirrorReader(redis, NAMES)
    assert await mirror.inputs("video", [f"v{number}" for number in range(COUNT)]) == [None] * COUNT
    memory = await read_memory(redis)
    assert memory.used > 0
    assert memory.problem is None


async def test_a_cluster_that_is_away_is_away(redis: aioredis.Redis) -> None:
    client = connect(load_settings(redis_url="redis+cluster://127.0.0.1:1,127.0.0.1:2"))
    with pytest.raises(AWAY):
        await client.get("a")
    with pytest.raises(AWAY):
        await SlottedStore(client, NAMES, lease_s=10).claim([Claim(job, job.id) for job in jobs()])
    await client.aclose()
