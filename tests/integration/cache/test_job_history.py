"""The console's questions to a ledger of 20,000 jobs: right, in order, and with few commands.

What takes time in Redis and in this process is counted, not timed: commands, round trips and bytes.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, TypeVar

import pytest
import redis.asyncio as aioredis

from bench.read.history import write_history
from streams.cache.job_search import MOST_SCANNED, JobFilter, JobSearch
from streams.cache.job_walk import JobCursor
from streams.cache.ledger import JobLedger, JobRecord, LedgerReader
from streams.cache.names import RedisNames
from streams.contracts.clock import ManualClock
from streams.contracts.jobs import Why, new_job
from streams.contracts.keys import CacheKey
from streams.contracts.states import Status
from streams.contracts.tasks import BUILTIN_TASKS
from streams.local.valkey import LocalValkey
from streams.settings import load_settings
from streams.web.console.overview import overview
from streams.web.services import WebServices

JOBS = 20_000
NAMES = RedisNames("pc")
LISTS = len(Status) * len(BUILTIN_TASKS)

T = TypeVar("T")


@pytest.fixture(scope="module")
def own_cache() -> Iterator[LocalValkey]:
    """A cache of this module's own: its counts of commands are the test's alone."""
    with LocalValkey() as cache:
        yield cache


@pytest.fixture
async def redis(own_cache: LocalValkey) -> AsyncIterator[aioredis.Redis]:
    client = aioredis.Redis.from_url(own_cache.url)
    if not await client.exists("written"):
        await write_history(client, NAMES, JOBS, ends_at=time.time())
        await client.set("written", 1)
    yield client
    await client.aclose()


@pytest.fixture
def search(redis: aioredis.Redis) -> JobSearch:
    ledger = LedgerReader(redis, NAMES, BUILTIN_TASKS)
    return JobSearch(redis, NAMES, ledger=ledger, tasks=list(BUILTIN_TASKS))


async def cost(redis: aioredis.Redis, act: Callable[[], Awaitable[T]]) -> tuple[T, int, int]:
    """What it answers, the commands it took and the bytes Redis sent."""
    before = await redis.info("stats")
    found = await act()
    after = await redis.info("stats")
    commands = after["total_commands_processed"] - before["total_commands_processed"] - 1
    return found, commands, after["total_net_output_bytes"] - before["total_net_output_bytes"]


async def test_a_page_costs_its_jobs_and_a_look_at_each_list(
    redis: aioredis.Redis, search: JobSearch
) -> None:
    async def second() -> list[JobRecord]:
        _, after = await search.page(JobFilter(), limit=50)
        return (await search.page(JobFilter(), limit=50, after=after))[0]

    found, commands, sent = await cost(redis, second)
    assert len(found) == 50
    assert commands <= 2 * (LISTS + 50 + 50)
    assert sent <= 300_000


async def test_a_search_for_one_user_is_bounded(redis: aioredis.Redis, search: JobSearch) -> None:
    (found, _), commands, sent = await cost(redis, lambda: search.page(JobFilter(user_id="none"), limit=50))
    assert found == []
    assert commands <= MOST_SCANNED + 1_000
    assert sent <= 2_000_000


async def test_a_key_is_looked_for_among_its_own_tasks_jobs(redis: aioredis.Redis, search: JobSearch) -> None:
    newest, _ = await search.page(JobFilter(tasks=("ctr_prediction",)), limit=1)
    wanted = JobFilter(key=newest[0].facts.key)
    (found, after), commands, _ = await cost(redis, lambda: search.page(wanted, limit=1))
    assert [record.facts.id for record in found] == [newest[0].facts.id]
    assert after is not None
    assert commands <= len(Status) + 300


async def test_the_overview_costs_the_same_whatever_the_history(
    redis: aioredis.Redis, own_cache: LocalValkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    web = WebServices(load_settings(redis_url=own_cache.url))

    async def no_lag() -> dict[str, int]:
        return {}

    monkeypatch.setattr(web.lag, "read", no_lag)
    data, commands, sent = await cost(redis, lambda: overview(web))
    await web.redis.aclose()
    assert sum(data["counts"].values()) > JOBS / 2
    # Counters by minute, the lists' sizes, and the oldest ten jobs of each task.
    assert commands <= 60 + LISTS + 11 * len(BUILTIN_TASKS) + 20
    assert sent <= 150_000


async def test_pages_show_every_job_once_though_all_share_a_millisecond(
    redis_url: str,
) -> None:
    async with aioredis.Redis.from_url(redis_url) as client:
        clock = ManualClock()
        ledger = JobLedger(client, NAMES, ttl_s=600, clock=clock)
        ids = {_record(ledger, number, clock) for number in range(700)}
        await ledger.flush()
        reader = LedgerReader(client, NAMES, BUILTIN_TASKS)
        search = JobSearch(client, NAMES, ledger=reader, tasks=list(BUILTIN_TASKS))
        seen: list[JobCursor] = []
        after: JobCursor | None = None
        while True:
            found, after = await search.page(JobFilter(), limit=90, after=after)
            seen += [JobCursor(record.at, record.facts.id) for record in found]
            if after is None:
                break
    assert len(seen) == len(ids)
    assert {place.id for place in seen} == ids
    assert seen == sorted(seen, reverse=True)


def _record(ledger: JobLedger, number: int, clock: ManualClock) -> str:
    """Six hundred in one millisecond, then one a second."""
    if number > 600:
        clock.advance(1.0)
    task = ("ctr_prediction", "dashboard_data")[number % 7 == 0]
    job: Any = new_job(
        CacheKey.of(task, f"e{number}", BUILTIN_TASKS),
        cause=f"test/{number}",
        user_id="u1",
        priority=5,
        why=Why.BATCH,
        created_at=int(clock.now() * 1000),
        input_version=0,
    )
    ledger.record(job, Status.QUEUED)
    return str(job.id)
