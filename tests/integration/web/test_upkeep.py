"""Proactive refresh on a real cache: what was read lately and ends soon, within the budget, once."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import pytest
import redis.asyncio as aioredis

from streams.cache.counters import FleetCounters
from streams.cache.names import RedisNames
from streams.contracts.errors import UnavailableError
from streams.contracts.keys import CacheKey
from streams.contracts.tasks import BUILTIN_TASKS
from streams.web.leadership import Chore, ChoreService
from streams.web.off_peak import OffPeak
from streams.web.upkeep import RefreshConfig, Upkeep
from tests.support.answers import STALE_MS, put_answer, stored_answer
from tests.support.eventually import eventually

NAMES = RedisNames("pc")
TASK = "ctr_prediction"


class Desk:
    def __init__(self) -> None:
        self.asked: list[str] = []

    async def ask(self, keys: Sequence[CacheKey], *, refresh: bool, urgent: bool) -> None:
        assert refresh
        assert not urgent
        self.asked += map(str, keys)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[aioredis.Redis]:
    client = aioredis.Redis.from_url(redis_url)
    yield client
    await client.aclose()


def upkeep(redis: aioredis.Redis, desk: Any, *, budget_s: float = 100.0, window: str = "") -> Upkeep:
    return Upkeep(
        redis,
        NAMES,
        tasks=BUILTIN_TASKS,
        counters=FleetCounters(redis, NAMES),
        demand=desk,
        config=RefreshConfig(
            every_s=30,
            ahead_s=60,
            worth=0.3,
            budget_s=budget_s,
            stale_s=STALE_MS / 1000,
            off_peak=OffPeak(window),
        ),
    )


async def put(redis: Any, name: str, *, left_s: float, read_s: float | None) -> str:
    key = f"{TASK}:video:{name}"
    await put_answer(redis, NAMES, stored_answer(key, 1, age_s=10, ttl_s=10 + left_s))
    if read_s is not None:
        await redis.zadd(NAMES.reads(TASK), {key: int((time.time() - read_s) * 1000)})
    return key


async def test_only_what_ends_soon_and_is_read_is_refreshed(redis: aioredis.Redis) -> None:
    wanted = await put(redis, "soon-and-read", left_s=30, read_s=60)
    await put(redis, "not-soon", left_s=3000, read_s=60)
    await put(redis, "never-read", left_s=30, read_s=None)
    await put(redis, "read-long-ago", left_s=30, read_s=86_400)
    await put(redis, "over", left_s=-5, read_s=60)
    desk = Desk()
    await upkeep(redis, desk).refresh({TASK: 2.0})
    assert desk.asked == [wanted]


async def test_an_hour_has_one_budget_for_the_whole_fleet(redis: aioredis.Redis) -> None:
    for number in range(10):
        await put(redis, f"v{number}", left_s=30, read_s=1)
    desk = Desk()
    for _ in range(3):
        await upkeep(redis, desk, budget_s=5.0).refresh({TASK: 2.0})
    assert len(desk.asked) == 2


async def test_outside_its_window_nothing_is_refreshed(redis: aioredis.Redis) -> None:
    await put(redis, "v1", left_s=30, read_s=1)
    hour = (time.gmtime().tm_hour + 12) % 24
    desk = Desk()
    await upkeep(redis, desk, window=f"{hour:02d}:00-{hour:02d}:30").refresh({TASK: 1.0})
    assert desk.asked == []


async def test_one_process_at_a_time_has_a_chore(redis: aioredis.Redis) -> None:
    first, second = Chore(redis, NAMES, "x"), Chore(redis, NAMES, "x")
    assert await first.is_ours()
    assert not await second.is_ours()
    assert await first.is_ours()
    await redis.delete(NAMES.lock("x"))
    assert await second.is_ours()
    assert not await first.is_ours()


async def test_the_turns_are_taken_by_one_of_many(redis: aioredis.Redis) -> None:
    turns: list[int] = []

    def service(number: int) -> ChoreService:
        async def turn() -> None:
            turns.append(number)

        return ChoreService(Chore(redis, NAMES, "x"), turn, every_s=0.001)

    services = [service(number) for number in range(3)]
    for one in services:
        await one.start()
    await eventually(lambda: len(turns) >= 20)
    leader = turns[0]
    await services[leader].stop()
    assert set(turns) == {leader}
    await redis.delete(NAMES.lock("x"))
    await eventually(lambda: len(set(turns)) == 2)
    for one in services:
        await one.stop()


async def test_a_turn_is_taken_again_when_a_server_was_away(redis: aioredis.Redis) -> None:
    failures = [UnavailableError("Kafka is away"), ConnectionError("Redis is away")]
    done: list[bool] = []

    async def turn() -> None:
        if failures:
            raise failures.pop()
        done.append(True)

    service = ChoreService(Chore(redis, NAMES, "x"), turn, every_s=0.001)
    await service.start()
    await eventually(lambda: done)
    assert service.failed is not None
    assert not service.failed.done()
    await service.stop()


async def test_a_turn_that_is_broken_ends_its_service(redis: aioredis.Redis) -> None:
    async def turn() -> None:
        raise ValueError("a bug")

    service = ChoreService(Chore(redis, NAMES, "x"), turn, every_s=0.001)
    await service.start()
    assert service.failed is not None
    assert isinstance(await service.failed, ValueError)
    await service.stop()


async def test_refreshes_that_nobody_reads_are_left_alone_where_they_are_weighed(
    redis: aioredis.Redis,
) -> None:
    """But for the few that go on measuring it."""
    await redis.delete(NAMES.counters)
    await redis.hset(NAMES.counters, mapping={f"ahead:{TASK}:refresh": 200, f"used:{TASK}:refresh": 10})
    for number in range(100):
        await put(redis, f"weighed-{number}", left_s=30, read_s=1)
    asked = {}
    for weighed in (False, True):
        desk = Desk()
        one = upkeep(redis, desk, budget_s=1e9)
        one._config = msgspec.structs.replace(one._config, weighed=weighed)
        await one.turn()
        asked[weighed] = len(desk.asked)
    assert asked[False] >= 100
    assert asked[True] < 20
