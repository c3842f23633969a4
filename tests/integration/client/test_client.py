"""The client on a real cache: every state, memory, outages, waiting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import pytest
import redis.asyncio as aioredis

from streams.cache.invalidation import Invalidator
from streams.cache.names import RedisNames
from streams.client import Precompute, PrecomputeSync, Result, ResultState
from streams.client.gateway import ApiGateway, Asked
from streams.contracts.keys import KeyPattern
from streams.contracts.tasks import BUILTIN_TASKS
from streams.local.valkey import LocalValkey
from tests.support.answers import put_answer, stored_answer
from tests.support.eventually import eventually

KEY = "ctr_prediction:video:v1"
NAMES = RedisNames("pc")


class Ctr(msgspec.Struct):
    ctr: float


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[aioredis.Redis]:
    client = aioredis.Redis.from_url(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Precompute]:
    async with Precompute(redis_url=redis_url) as made:
        yield made


async def heard(client: Precompute) -> None:
    """Memory is used once the backplane is listened to."""
    await eventually(lambda: client._memory.is_heard)


class TestStates:
    async def test_a_fresh_answer_has_all_there_is_to_know(self, client: Precompute, redis: Any) -> None:
        await put_answer(redis, NAMES, stored_answer(KEY, {"ctr": 0.1}, age_s=5))
        result = await client.get(KEY, type=Ctr)
        assert result.state is ResultState.FRESH
        assert result.value == Ctr(0.1)
        assert result.age == pytest.approx(5, abs=2)
        assert (result.why, result.source) == ("upload", "cache")
        assert result.job_id
        assert result.etag

    async def test_a_stale_answer_says_so(self, client: Precompute, redis: Any) -> None:
        await put_answer(redis, NAMES, stored_answer(KEY, 1, age_s=100, ttl_s=50))
        assert (await client.get(KEY)).state is ResultState.STALE

    async def test_a_failure_is_an_answer(self, client: Precompute, redis: Any) -> None:
        await put_answer(redis, NAMES, stored_answer(KEY, reason="rejected"))
        result = await client.get(KEY)
        assert (result.state, result.reason, result.value) == (ResultState.UNAVAILABLE, "rejected", None)

    async def test_nothing_is_a_miss(self, client: Precompute) -> None:
        assert (await client.get(KEY)).state is ResultState.MISS

    async def test_many_are_read_at_once(self, client: Precompute, redis: Any) -> None:
        keys = [f"ctr_prediction:video:v{i}" for i in range(300)]
        for key in keys[::2]:
            await put_answer(redis, NAMES, stored_answer(key, key))
        found = await client.get_many(keys)
        assert [r.value for r in found.values()] == [k if i % 2 == 0 else None for i, k in enumerate(keys)]

    async def test_a_function_stands_in(self, client: Precompute) -> None:
        result: Result[Any] = await client.get(KEY, on_miss=len)
        assert (result.value, result.why) == (len(KEY), "local")

    async def test_reads_reach_the_fleet(self, redis_url: str, redis: Any) -> None:
        await put_answer(redis, NAMES, stored_answer(KEY, 1))
        async with Precompute(redis_url=redis_url) as client:
            await client.get(KEY)
            await client.get("ctr_prediction:video:v2")
        counters = await redis.hgetall(NAMES.counters)
        assert (float(counters[b"cache_hits"]), float(counters[b"cache_misses"])) == (1, 1)
        assert await redis.zscore(NAMES.reads("ctr_prediction"), KEY) is not None
        assert await redis.zscore(NAMES.unread("ctr_prediction"), KEY) is None


class TestMemory:
    async def test_serves_the_second_read(self, client: Precompute, redis: Any) -> None:
        await heard_after_first(client)
        await put_answer(redis, NAMES, stored_answer(KEY, 1))
        first = await client.get(KEY)
        await redis.delete(NAMES.result(KEY))
        assert await client.get(KEY) is first
        assert client.metrics.memory_hits == 1

    async def test_an_invalidation_reaches_it(self, redis_url: str, redis: Any) -> None:
        async with Precompute(redis_url=redis_url, memory_ttl_s=600) as client:
            await heard_after_first(client)
            await put_answer(redis, NAMES, stored_answer(KEY, 1, age_s=1))
            await client.get(KEY)
            await Invalidator(redis, NAMES, BUILTIN_TASKS).invalidate(
                KeyPattern.parse("ctr_prediction:*", BUILTIN_TASKS)
            )
            await eventually(lambda: client.peek(KEY) is None)
            assert (await client.get(KEY)).state is ResultState.MISS

    async def test_an_answer_below_a_floor_is_never_read(self, client: Precompute, redis: Any) -> None:
        invalidator = Invalidator(redis, NAMES, BUILTIN_TASKS)
        await invalidator.invalidate(KeyPattern.parse("ctr_prediction:*", BUILTIN_TASKS))
        # A job that began before the invalidation writes after it.
        await put_answer(redis, NAMES, stored_answer(KEY, "old", age_s=5))
        assert (await client.get(KEY)).state is ResultState.MISS
        assert (await client.get_many([KEY]))[KEY].state is ResultState.MISS


async def heard_after_first(client: Precompute) -> None:
    await client.get("ctr_prediction:video:other")
    await heard(client)


class TestOutages:
    async def test_a_copy_is_served_while_the_cache_is_away(self, own_valkey: LocalValkey) -> None:
        async with Precompute(redis_url=own_valkey.url, memory_ttl_s=600) as client:
            await heard_after_first(client)
            await put_by_url(own_valkey.url, KEY, 1)
            await client.get(KEY)
            own_valkey.kill()
            await eventually(lambda: not client._memory.is_heard)
            result = await client.get(KEY)
            assert (result.state, result.value, result.reason) == (ResultState.STALE, 1, "cache_away")
            missing = await client.get("ctr_prediction:video:v2")
            assert (missing.state, missing.reason) == (ResultState.MISS, "cache_away")

    async def test_comes_back_with_the_cache(self, own_valkey: LocalValkey) -> None:
        async with Precompute(redis_url=own_valkey.url, breaker_open_s=0.05) as client:
            await put_by_url(own_valkey.url, KEY, 1)
            await client.get(KEY)
            own_valkey.kill()
            for _ in range(10):
                await client.get("ctr_prediction:video:v2")
            own_valkey.start()

            async def reads_again() -> bool:
                return (await client.get(KEY)).source == "cache"

            await eventually(reads_again)

    async def test_a_type_memory_does_not_know_is_still_a_clear_miss(self, own_valkey: LocalValkey) -> None:
        own_valkey.kill()
        async with Precompute(redis_url=own_valkey.url) as client:
            assert (await client.get(KEY, type=Ctr)).reason == "cache_away"


async def put_by_url(url: str, key: str, result: Any) -> None:
    redis = aioredis.Redis.from_url(url)
    await put_answer(redis, NAMES, stored_answer(key, result))
    await redis.aclose()


class FakeApi(ApiGateway):
    """Says that it enqueued; the test plays the worker."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1", None)
        self.asked: list[tuple[str, bool, bool]] = []

    async def ask(self, keys: Sequence[str], *, refresh: bool, urgent: bool) -> list[Asked]:
        self.asked += [(key, refresh, urgent) for key in keys]
        return [Asked(key, "job-1") for key in keys]


@pytest.fixture
async def asking(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Precompute, FakeApi]]:
    api = FakeApi()
    monkeypatch.setattr("streams.client.client.ApiGateway", lambda *_: api)
    async with Precompute(redis_url=redis_url, api_url="http://127.0.0.1:1") as client:
        yield client, api


class TestAsking:
    async def test_compute_asks_and_does_not_wait(self, asking: tuple[Precompute, FakeApi]) -> None:
        client, api = asking
        result = await client.get(KEY, on_miss="compute")
        assert (result.state, result.job_id) == (ResultState.COMPUTING, "job-1")
        assert api.asked == [(KEY, False, True)]

    async def test_wait_gets_what_the_worker_writes(
        self, asking: tuple[Precompute, FakeApi], redis: Any
    ) -> None:
        client, api = asking
        waiting = asyncio.create_task(client.get(KEY, on_miss="wait", hard_timeout=20))
        await eventually(lambda: api.asked)
        await put_answer(redis, NAMES, stored_answer(KEY, 7))
        await redis.spublish(NAMES.done_channel(KEY), "completed")
        assert (await waiting).value == 7

    async def test_wait_ends_with_the_job(self, asking: tuple[Precompute, FakeApi], redis: Any) -> None:
        client, api = asking
        waiting = asyncio.create_task(client.get(KEY, on_miss="wait", hard_timeout=60))
        await eventually(lambda: client._rooms.count)

        async def told() -> bool:
            await redis.spublish(NAMES.done_channel(KEY), "cancelled")
            return waiting.done()

        await eventually(told)
        assert (await waiting).state is ResultState.COMPUTING
        assert api.asked

    async def test_a_stale_answer_is_refreshed_behind_the_reader(
        self, asking: tuple[Precompute, FakeApi], redis: Any
    ) -> None:
        client, api = asking
        await put_answer(redis, NAMES, stored_answer(KEY, 1, age_s=100, ttl_s=50))
        assert (await client.get(KEY, on_miss="stale")).value == 1
        await eventually(lambda: api.asked)
        assert api.asked == [(KEY, True, False)]

    async def test_waiting_for_a_newer_answer_falls_back_to_the_old_one(
        self, asking: tuple[Precompute, FakeApi], redis: Any
    ) -> None:
        client, api = asking
        await put_answer(redis, NAMES, stored_answer(KEY, "old", age_s=100))
        result = await client.get(KEY, max_age=10, on_miss="wait", soft_timeout=0.1)
        assert (result.state, result.value) == (ResultState.STALE, "old")
        assert api.asked == [(KEY, True, True)]


def test_the_twin_without_a_loop_reads_the_same(redis_url: str) -> None:
    asyncio.run(put_by_url(redis_url, KEY, {"ctr": 0.2}))
    with PrecomputeSync(redis_url=redis_url) as client:
        assert client.get(KEY, type=Ctr).value == Ctr(0.2)
        assert client.get_many([KEY])[KEY].value == {"ctr": 0.2}
        assert client.get("ctr_prediction:video:none").state is ResultState.MISS
