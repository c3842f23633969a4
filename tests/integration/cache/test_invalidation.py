"""Invalidation on a real cache, and its race with jobs that complete."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest
import redis.asyncio as aioredis

from streams.cache.answers import AnswerStore, Claim, Finish
from streams.cache.invalidation import Invalidator
from streams.cache.names import RedisNames
from streams.cache.reader import AnswerReader
from streams.contracts.clock import SYSTEM_CLOCK, ManualClock, millis
from streams.contracts.jobs import Why, new_job
from streams.contracts.keys import CacheKey, KeyPattern
from streams.contracts.results import StoredResult
from streams.contracts.tasks import BUILTIN_TASKS
from tests.support.answers import put_answer, stored_answer

NAMES = RedisNames("pc")


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[aioredis.Redis]:
    client = aioredis.Redis.from_url(redis_url)
    yield client
    await client.aclose()


def pattern(text: str) -> KeyPattern:
    return KeyPattern.parse(text, BUILTIN_TASKS)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("ctr_prediction:*", 3),
        ("ctr_prediction:video:*", 3),
        ("*:video:v1", 2),
        ("ctr_prediction:video:v1", 1),
        ("roas_prediction:*", 0),
        ("*", 4),
    ],
)
async def test_counts_what_it_took_and_leaves_the_rest(redis: aioredis.Redis, text: str, count: int) -> None:
    keys = [f"ctr_prediction:video:v{i}" for i in range(3)] + ["hook_analysis:video:v1"]
    for key in keys:
        await put_answer(redis, NAMES, stored_answer(key, 1, age_s=1))
    invalidator = Invalidator(redis, NAMES, BUILTIN_TASKS)
    assert await invalidator.preview(pattern(text)) == count
    assert await invalidator.invalidate(pattern(text)) == count
    left = await AnswerReader(redis, NAMES).stored(keys)
    assert sum(one is not None for one in left) == len(keys) - count
    assert await invalidator.invalidate(pattern(text)) == 0


async def test_an_answer_begun_after_its_cause_stays(redis: aioredis.Redis) -> None:
    key = "ctr_prediction:video:v1"
    cause = millis(SYSTEM_CLOCK.now()) - 5_000
    await put_answer(redis, NAMES, stored_answer(key, "new", age_s=1))
    invalidator = Invalidator(redis, NAMES, BUILTIN_TASKS)
    for text in (key, "*:video:v1", "ctr_prediction:*"):
        assert await invalidator.invalidate(pattern(text), at_ms=cause) == 0
    assert (await AnswerReader(redis, NAMES).stored([key]))[0] is not None


async def test_a_floor_never_sinks(redis: aioredis.Redis) -> None:
    clock = ManualClock()
    invalidator = Invalidator(redis, NAMES, BUILTIN_TASKS, clock)
    await invalidator.invalidate(pattern("ctr_prediction:*"))
    high = await redis.hget(NAMES.floors, "ctr_prediction")
    clock.step(-60)
    await invalidator.invalidate(pattern("ctr_prediction:*"))
    assert await redis.hget(NAMES.floors, "ctr_prediction") == high


@pytest.mark.parametrize("text", ["ctr_prediction:video:v1", "*:video:v1", "ctr_prediction:*", "*"])
async def test_a_job_that_began_before_never_brings_the_old_answer_back(
    redis: aioredis.Redis, text: str
) -> None:
    """Whatever the order of their steps: once the invalidation has answered, the old answer is not read."""
    key = CacheKey("ctr_prediction", "video", "v1")
    store = AnswerStore(redis, NAMES, lease_s=10)
    reader = AnswerReader(redis, NAMES)
    invalidator = Invalidator(redis, NAMES, BUILTIN_TASKS)
    for turn in range(25):
        now = millis(SYSTEM_CLOCK.now())
        job = new_job(
            key,
            cause=f"e/{turn}",
            user_id="u",
            priority=8,
            why=Why.CHANGED,
            created_at=now,
            input_version=turn,
        )
        claim = Claim(job, f"w-{turn}")
        assert [grant.verdict for grant in await store.claim([claim])] == ["run"]
        started = millis(SYSTEM_CLOCK.now())
        stored = stored_answer(str(key), turn, version=turn)
        end = Finish(claim, stored_at(stored, started), 60_000, "completed")

        await asyncio.gather(
            _after(redis, random.randrange(4), store.finish, [end]),
            _after(redis, random.randrange(4), invalidator.invalidate, pattern(text)),
        )
        assert (await reader.stored([str(key)]))[0] is None


def stored_at(stored: StoredResult, started: int) -> StoredResult:
    return msgspec.structs.replace(stored, started_at=started)


async def _after(
    redis: aioredis.Redis, turns: int, act: Callable[[Any], Awaitable[Any]], argument: Any
) -> None:
    """So many round trips later: the two acts meet in every order."""
    for _ in range(turns):
        await redis.ping()
    await act(argument)
