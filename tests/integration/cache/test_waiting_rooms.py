"""Waiting on a real cache: thousands on one connection, through restarts, and nobody for ever."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import redis.asyncio as aioredis

from streams.cache.hints import HintListener, hint_connections
from streams.cache.names import RedisNames
from streams.cache.reader import AnswerReader
from streams.cache.waiting import TooManyWaitersError, WaitingRooms
from streams.contracts.results import StoredResult
from streams.local.valkey import LocalValkey
from tests.support.answers import put_answer, stored_answer
from tests.support.eventually import eventually

NAMES = RedisNames("pc")
KEY = "ctr_prediction:video:v1"


class Rooms:
    def __init__(self, url: str, most: int = 20_000) -> None:
        self.redis = aioredis.Redis.from_url(url)
        self.reader = AnswerReader(self.redis, NAMES)
        connections = hint_connections(self.redis.connection_pool)
        self.rooms = WaitingRooms[StoredResult](
            look=self.reader.stored,
            channel_of=NAMES.done_channel,
            hints=lambda on_hint, on_gap: HintListener(connections, on_hint=on_hint, on_gap=on_gap),
            most=most,
        )
        self.task = asyncio.create_task(self.rooms.run())

    async def close(self) -> None:
        self.rooms.dismiss()
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.redis.aclose()

    async def answer(self, key: str, value: object) -> None:
        await put_answer(self.redis, NAMES, stored_answer(key, value))
        await self.redis.spublish(NAMES.done_channel(key), "completed")

    async def filled(self, count: int) -> None:
        await eventually(lambda: self.rooms.count >= count)


@pytest.fixture
async def rooms(redis_url: str) -> AsyncIterator[Rooms]:
    made = Rooms(redis_url)
    yield made
    await made.close()


async def test_an_answer_that_came_before_the_subscription_is_found(rooms: Rooms) -> None:
    await put_answer(rooms.redis, NAMES, stored_answer(KEY, 1))
    assert await rooms.rooms.wait(KEY, 20) is not None


async def test_a_lost_hint_costs_time_and_nothing_else(rooms: Rooms) -> None:
    waiting = asyncio.create_task(rooms.rooms.wait(KEY, 20))
    await rooms.filled(1)
    await put_answer(rooms.redis, NAMES, stored_answer(KEY, 1))
    assert await waiting is not None


async def test_the_time_is_over_for_whom_nothing_comes(rooms: Rooms) -> None:
    assert await rooms.rooms.wait(KEY, 0.05) is None
    assert rooms.rooms.count == 0


@pytest.mark.parametrize("hint", ["failed", "skipped", "cancelled", "unavailable"])
async def test_a_job_that_ends_without_an_answer_ends_the_wait(rooms: Rooms, hint: str) -> None:
    waiting = asyncio.create_task(rooms.rooms.wait(KEY, 60))
    await rooms.filled(1)

    async def told() -> bool:
        await rooms.redis.spublish(NAMES.done_channel(KEY), hint)
        return waiting.done()

    await eventually(told)
    assert await waiting is None


async def test_who_wants_a_newer_answer_waits_on(rooms: Rooms) -> None:
    await put_answer(rooms.redis, NAMES, stored_answer(KEY, "old", age_s=60))
    newest = int((time.time() - 30) * 1000)
    waiting = asyncio.create_task(rooms.rooms.wait(KEY, 20, lambda one: one.computed_at > newest))
    await rooms.filled(1)
    await rooms.answer(KEY, "new")
    found = await waiting
    assert found is not None
    assert bytes(found.result) == b'"new"'


async def test_beyond_the_cap_nobody_is_let_in(redis_url: str) -> None:
    rooms = Rooms(redis_url, most=1)
    waiting = asyncio.create_task(rooms.rooms.wait(KEY, 20))
    await rooms.filled(1)
    with pytest.raises(TooManyWaitersError):
        await rooms.rooms.wait(KEY, 1)
    await rooms.answer(KEY, 1)
    assert await waiting is not None
    await rooms.close()


async def test_thousands_wait_on_a_handful_of_connections(rooms: Rooms) -> None:
    keys = [f"ctr_prediction:video:v{i}" for i in range(2_000)]
    # Other tests' systems may be connected to the same cache.
    others = (await rooms.redis.info("clients"))["connected_clients"]
    waiting = [asyncio.create_task(rooms.rooms.wait(key, 60)) for key in keys for _ in range(2)]
    await rooms.filled(len(waiting))
    assert (await rooms.redis.info("clients"))["connected_clients"] <= others + 8
    pipe = rooms.redis.pipeline(transaction=False)
    for key in keys:
        await put_answer(pipe, NAMES, stored_answer(key, key))
        pipe.spublish(NAMES.done_channel(key), "completed")
    await pipe.execute()
    found = await asyncio.gather(*waiting)
    assert all(one is not None for one in found)


async def test_nobody_hangs_through_a_restart(own_valkey: LocalValkey) -> None:
    rooms = Rooms(own_valkey.url)
    keys = [f"ctr_prediction:video:v{i}" for i in range(200)]
    waiting = [asyncio.create_task(rooms.rooms.wait(key, 60)) for key in keys]
    await rooms.filled(len(keys))
    own_valkey.kill()
    own_valkey.start()
    # A client of its own: the one in use may yet hold connections that the restart cut.
    async with aioredis.Redis.from_url(own_valkey.url) as writer:
        for key in keys:
            await put_answer(writer, NAMES, stored_answer(key, key))
    assert all(one is not None for one in await asyncio.gather(*waiting))
    await rooms.close()
