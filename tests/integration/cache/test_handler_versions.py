"""A new version of a handler: the old one's answers are served until nobody runs it, then no more."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import redis.asyncio as aioredis

from streams.cache.invalidation import Invalidator
from streams.cache.names import RedisNames
from streams.cache.reader import AnswerReader
from streams.cache.versions import DECLARE_EVERY_S, GONE_AFTER_S, HandlerVersions
from streams.contracts.clock import SYSTEM_CLOCK, ManualClock
from streams.contracts.tasks import BUILTIN_TASKS
from tests.support.answers import put_answer, stored_answer

NAMES = RedisNames("pc")
OLD, NEW = "ctr_prediction:video:old", "ctr_prediction:video:new"
OTHER = "hook_analysis:video:old"


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[aioredis.Redis]:
    client = aioredis.Redis.from_url(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
def clock() -> ManualClock:
    """Begins a while ago, so that answers of its past and of its future are in the real past."""
    return ManualClock(SYSTEM_CLOCK.now() - 200)


def worker(redis: aioredis.Redis, clock: ManualClock, **versions: str) -> HandlerVersions:
    return HandlerVersions(redis, NAMES, versions, Invalidator(redis, NAMES, BUILTIN_TASKS), clock)


async def served(redis: aioredis.Redis) -> set[str]:
    keys = [OLD, NEW, OTHER]
    found = await AnswerReader(redis, NAMES).stored(keys)
    return {key for key, stored in zip(keys, found, strict=True) if stored is not None}


async def put(redis: aioredis.Redis, clock: ManualClock, key: str) -> None:
    await put_answer(redis, NAMES, stored_answer(key, 1, age_s=SYSTEM_CLOCK.now() - clock.now()))


async def test_answers_of_a_version_that_is_gone_are_invalid(
    redis: aioredis.Redis, clock: ManualClock
) -> None:
    old = worker(redis, clock, ctr_prediction="1", hook_analysis="1")
    new = worker(redis, clock, ctr_prediction="2", hook_analysis="1")
    assert await old.declare() == []
    await put(redis, clock, OLD)
    await put(redis, clock, OTHER)

    clock.step(DECLARE_EVERY_S + 1)
    assert await new.declare() == []
    await put(redis, clock, NEW)
    assert await served(redis) == {OLD, NEW, OTHER}

    clock.step(GONE_AFTER_S)
    assert await new.declare() == ["ctr_prediction 1"]
    assert await served(redis) == {NEW, OTHER}
    assert await new.declare() == []


async def test_while_both_run_both_are_served(redis: aioredis.Redis, clock: ManualClock) -> None:
    old, new = worker(redis, clock, ctr_prediction="1"), worker(redis, clock, ctr_prediction="2")
    await put(redis, clock, OLD)
    for _ in range(5):
        clock.step(GONE_AFTER_S / 2)
        assert await old.declare() == []
        assert await new.declare() == []
    assert await served(redis) == {OLD}


async def test_a_fleet_that_stands_still_keeps_its_answers(redis: aioredis.Redis, clock: ManualClock) -> None:
    await worker(redis, clock, ctr_prediction="1").declare()
    await put(redis, clock, OLD)
    clock.step(2 * GONE_AFTER_S)
    assert await worker(redis, clock, hook_analysis="7").declare() == []
    assert await worker(redis, clock, ctr_prediction="1").declare() == []
    assert await served(redis) == {OLD}


async def test_going_back_to_the_old_version_invalidates_the_new_one(
    redis: aioredis.Redis, clock: ManualClock
) -> None:
    await worker(redis, clock, ctr_prediction="2").declare()
    await put(redis, clock, NEW)
    clock.step(GONE_AFTER_S + DECLARE_EVERY_S)
    back = worker(redis, clock, ctr_prediction="1")
    assert await back.declare() == ["ctr_prediction 2"]
    assert await served(redis) == set()
