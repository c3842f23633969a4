"""Claims and answers of the tests, written down in short."""

from __future__ import annotations

from itertools import count

import msgspec
import redis.asyncio as aioredis

from streams.cache.answers import KEEP_MS, AnswerStore, Claim, Finish
from streams.cache.names import RedisNames
from streams.contracts.clock import Clock, millis
from streams.contracts.jobs import Job, Why, new_job
from streams.contracts.keys import CacheKey
from streams.contracts.results import NO_RESULT, StoredResult

TTL_MS = 60_000
STALE_MS = 30_000
_numbers = count()


def fresh_key(task: str = "ctr_prediction", entity: str = "video") -> CacheKey:
    """A key no other test or example uses."""
    return CacheKey(task, entity, f"e{next(_numbers)}")


def job(
    key: CacheKey,
    version: int = 1,
    *,
    cause: str = "1",
    why: Why = Why.UPLOAD,
    created_at: int = 0,
    recompute: bool = False,
) -> Job:
    return new_job(
        key,
        cause=cause,
        user_id="u1",
        priority=8,
        why=why,
        created_at=created_at,
        input_version=version,
        recompute=recompute,
    )


def claim(one: Job, token: str | None = None) -> Claim:
    return Claim(one, token or f"w-{next(_numbers)}")


def stored(
    one: Job, *, started_at: int, expires_at: int, result: object = 1, reason: str | None = None
) -> StoredResult:
    return StoredResult(
        key=one.key,
        task=one.task,
        job_id=one.id,
        why=one.why,
        handler_version="1",
        input_version=one.input_version,
        started_at=started_at,
        computed_at=started_at,
        expires_at=expires_at,
        compute_ms=0.0,
        result=NO_RESULT if reason else msgspec.Raw(msgspec.json.encode(result)),
        reason=reason,
        message=reason,
    )


def finish(held: Claim, clock: Clock, *, started_at: int | None = None, result: object = 1) -> Finish:
    """The answer of a claim that began at `started_at`, by default now."""
    now = millis(clock.now())
    started = now if started_at is None else started_at
    answer = stored(held.job, started_at=started, expires_at=now + TTL_MS, result=result)
    return Finish(held, answer, TTL_MS + STALE_MS, "completed")


def release(held: Claim) -> Finish:
    return Finish(held, None, 0, "released")


async def lose_lease(client: aioredis.Redis, names: RedisNames, key: CacheKey) -> None:
    """As if its time were over because nobody renewed it."""
    await client.pexpire(names.lease(str(key)), KEEP_MS)


async def verdict_of(store: AnswerStore, held: Claim) -> str:
    return (await store.claim([held]))[0].verdict


async def end(store: AnswerStore, one: Finish) -> str:
    return (await store.finish([one]))[0]
