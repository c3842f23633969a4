from __future__ import annotations

import pytest
import redis.asyncio as aioredis
from cache_samples import fresh_key, job

from streams.cache import ledger as ledger_module
from streams.cache.connection import connect
from streams.cache.ledger import JobLedger, LedgerReader
from streams.cache.names import RedisNames
from streams.contracts.clock import ManualClock, millis
from streams.contracts.errors import UnavailableError
from streams.contracts.jobs import Job
from streams.contracts.states import Status
from streams.contracts.tasks import BUILTIN_TASKS
from streams.local.valkey import LocalValkey
from streams.ops.metrics import LEDGER_DROPPED
from streams.settings import Settings

TASK = "ctr_prediction"


@pytest.fixture
def ledger(client: aioredis.Redis, names: RedisNames, clock: ManualClock) -> JobLedger:
    return JobLedger(client, names, ttl_s=3600.0, clock=clock)


@pytest.fixture
def reader(client: aioredis.Redis, names: RedisNames) -> LedgerReader:
    return LedgerReader(client, names, BUILTIN_TASKS)


async def write(ledger: JobLedger, one: Job, *statuses: Status) -> None:
    """Each status in a flush of its own, as processes that know nothing of each other send them."""
    for status in statuses:
        ledger.record(one, status)
        await ledger.flush()


async def test_a_job_s_life_is_one_timeline(
    ledger: JobLedger, reader: LedgerReader, clock: ManualClock
) -> None:
    one = job(fresh_key())
    ledger.record(one, Status.QUEUED)
    clock.advance(1.0)
    ledger.record(one, Status.PROCESSING, attempt=1, worker="w1")
    await ledger.flush()
    clock.advance(1.0)
    ledger.record(one, Status.FAILED, attempt=1, reason="rejected", error="x" * 2000, worker="w1")
    await ledger.flush()

    found = await reader.job(one.id)
    assert found is not None
    assert (found.status, found.at) == (Status.FAILED, millis(clock.now()))
    assert [entry.status for entry in found.timeline] == [Status.QUEUED, Status.PROCESSING, Status.FAILED]
    assert (found.timeline[-1].reason, len(found.timeline[-1].error)) == ("rejected", 500)
    assert (found.facts.id, found.facts.key, found.facts.priority) == (one.id, one.key, 8)


async def test_lines_break_only_where_entries_end(ledger: JobLedger, reader: LedgerReader) -> None:
    one = job(fresh_key())
    ledger.record(one, Status.QUEUED, error="a\nb\r\u2028\x0c", reason="retry")
    await ledger.flush()
    found = await reader.job(one.id)
    assert found is not None
    assert found.timeline[0].error == "a\nb\r\u2028\x0c"


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_the_first_line_may_come_last(ledger: JobLedger, reader: LedgerReader, place: int) -> None:
    """Streams notes that a job is queued when the worker may have begun, or even ended it."""
    order = [Status.PROCESSING, Status.COMPLETED]
    order.insert(place, Status.QUEUED)
    one = job(fresh_key())
    await write(ledger, one, *order)
    found = await reader.job(one.id)
    assert found is not None
    assert found.status is Status.COMPLETED
    assert [entry.status for entry in found.timeline] == [Status.QUEUED, Status.PROCESSING, Status.COMPLETED]
    counts = [(await reader.count_by_task(status))[TASK] for status in (Status.QUEUED, Status.COMPLETED)]
    assert counts == [0, 1]


async def test_a_failed_attempt_is_queued_again(ledger: JobLedger, reader: LedgerReader) -> None:
    one = job(fresh_key())
    await write(ledger, one, Status.QUEUED, Status.PROCESSING)
    ledger.record(one, Status.QUEUED, attempt=1, reason="HandlerError")
    await ledger.flush()
    assert (await reader.count_by_task(Status.QUEUED))[TASK] == 1
    assert (await reader.count_by_task(Status.PROCESSING))[TASK] == 0


async def test_a_duplicate_delivery_does_not_rename_the_end(ledger: JobLedger, reader: LedgerReader) -> None:
    one = job(fresh_key())
    await write(ledger, one, Status.QUEUED, Status.PROCESSING, Status.COMPLETED)
    ledger.record(one, Status.SKIPPED, reason="duplicate")
    await ledger.flush()
    found = await reader.job(one.id)
    assert found is not None
    assert found.status is Status.COMPLETED
    assert found.timeline[-1].reason == "duplicate", "but it is noted"


async def test_a_dead_job_that_is_replayed_may_complete(ledger: JobLedger, reader: LedgerReader) -> None:
    one = job(fresh_key())
    await write(ledger, one, Status.PROCESSING, Status.FAILED, Status.PROCESSING, Status.COMPLETED)
    found = await reader.job(one.id)
    assert found is not None
    assert found.status is Status.COMPLETED
    assert (await reader.count_by_task(Status.FAILED))[TASK] == 0


async def test_the_newest_jobs_come_first_page_by_page(
    ledger: JobLedger, reader: LedgerReader, clock: ManualClock
) -> None:
    made = []
    for _ in range(5):
        made.append(job(fresh_key()))
        ledger.record(made[-1], Status.QUEUED)
        clock.advance(1.0)
    await ledger.flush()

    wanted = {"statuses": [Status.QUEUED], "tasks": [TASK, "scene_detection"]}
    first = await reader.newest(**wanted, limit=3)
    rest = await reader.newest(**wanted, limit=3, before_ms=first[-1].at)
    assert [record.facts.id for record in (*first, *rest)] == [one.id for one in reversed(made)]
    assert not await reader.newest(statuses=[Status.FAILED], tasks=[TASK], limit=3)


async def test_only_so_many_ended_jobs_are_listed(
    ledger: JobLedger, reader: LedgerReader, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "LISTED", 3)
    for _ in range(5):
        clock.advance(0.01)
        await write(ledger, job(fresh_key()), Status.COMPLETED)
    assert (await reader.count_by_task(Status.COMPLETED))[TASK] == 3


async def test_a_job_whose_end_nobody_noted_is_not_queued_for_ever(
    ledger: JobLedger, reader: LedgerReader, clock: ManualClock
) -> None:
    await write(ledger, job(fresh_key()), Status.QUEUED)
    clock.advance(3601.0)
    await write(ledger, job(fresh_key()), Status.QUEUED)
    assert (await reader.count_by_task(Status.QUEUED))[TASK] == 1


async def test_without_redis_lines_wait_up_to_a_bound(
    own_valkey: LocalValkey, names: RedisNames, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "MOST_PENDING", 10)
    client = connect(Settings(redis_url=own_valkey.url))
    ledger, reader = (
        JobLedger(client, names, ttl_s=60.0, clock=clock),
        LedgerReader(client, names, BUILTIN_TASKS),
    )
    own_valkey.stop()
    dropped = LEDGER_DROPPED._value.get()
    made = [job(fresh_key()) for _ in range(12)]
    for one in made:
        ledger.record(one, Status.QUEUED)
    await ledger.flush()
    assert LEDGER_DROPPED._value.get() - dropped == 2
    with pytest.raises(UnavailableError):
        await reader.job(made[0].id)

    own_valkey.start()
    await ledger.flush()
    assert await reader.job(made[1].id) is None
    assert await reader.job(made[-1].id) is not None
    await client.aclose()
