"""A ledger as it stands after a busy day: many ended jobs, a long queue, written as workers write it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import redis.asyncio as aioredis

from streams.cache.ledger import MOST_A_FLUSH, JobLedger
from streams.cache.names import RedisNames
from streams.contracts.clock import ManualClock
from streams.contracts.jobs import Job, Why, new_job
from streams.contracts.keys import CacheKey
from streams.contracts.states import Status
from streams.contracts.tasks import BUILTIN_TASKS

#: Of a hundred jobs so many end so; a few percent still wait.
_ENDS = (Status.COMPLETED,) * 70 + (Status.SKIPPED,) * 20 + (Status.FAILED,) * 4 + (Status.CANCELLED,)
_QUEUED = 100 - len(_ENDS)
_DAY_S = 80_000.0
USERS = 5_000


async def write_history(
    redis: aioredis.Redis, names: RedisNames, jobs: int, *, ends_at: float, seed: int = 7
) -> None:
    """`jobs` jobs over most of the day before `ends_at` (seconds since the epoch), in every status."""
    draw = random.Random(seed)
    clock = ManualClock(ends_at - _DAY_S)
    ledger = JobLedger(redis, names, ttl_s=86_400.0, clock=clock)
    for number, job in enumerate(_jobs(draw, jobs, ends_at)):
        for status in _life(draw):
            ledger.record(job, status, attempt=1, worker="bench-worker-1")
        clock.step(_DAY_S / jobs)
        if number % MOST_A_FLUSH == 0:
            await ledger.flush()
    await ledger.flush()


def _jobs(draw: random.Random, jobs: int, ends_at: float) -> Iterator[Job]:
    tasks = list(BUILTIN_TASKS)
    whys = list(Why)
    for number in range(jobs):
        task = draw.choice(tasks)
        user = f"u{draw.randrange(USERS)}"
        yield new_job(
            CacheKey.of(task, f"e{number}", BUILTIN_TASKS),
            cause=f"bench/{number}",
            user_id=user,
            priority=draw.randrange(1, 11),
            why=draw.choice(whys),
            created_at=int((ends_at - _DAY_S + number * _DAY_S / jobs) * 1000),
            input_version=0,
        )


def _life(draw: random.Random) -> Sequence[Status]:
    end = draw.randrange(100)
    if end < _QUEUED:
        return (Status.QUEUED,)
    last = _ENDS[end - _QUEUED]
    middle = () if last in (Status.SKIPPED, Status.CANCELLED) else (Status.PROCESSING,)
    return (Status.QUEUED, *middle, last)
