"""Who is cancelled, and as what: a job, the slot that runs it, both, one of many that run together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
import redis.asyncio as aioredis

from streams.cache.names import RedisNames
from streams.contracts.clock import ManualClock, millis
from streams.work.cancellation import CancelWatch, JobCancelledError

NAMES = RedisNames("pc")


class Scene:
    def __init__(self, redis: aioredis.Redis) -> None:
        self.redis = redis
        self.clock = ManualClock()
        self.watch = CancelWatch(redis, NAMES, self.clock)
        self.begun = asyncio.Event()

    async def cancel(self, *ids: str, for_s: float = 60.0) -> None:
        until = millis(self.clock.now() + for_s)
        await self.redis.zadd(NAMES.cancelled, dict.fromkeys(ids, until))
        await self.watch.look()

    async def endless(self) -> str:
        self.begun.set()
        await asyncio.Event().wait()
        return "never"


@pytest.fixture
async def scene(redis_url: str) -> AsyncIterator[Scene]:
    async with aioredis.Redis.from_url(redis_url) as redis:
        yield Scene(redis)


async def test_a_cancelled_jobs_work_ends_and_its_slot_goes_on(scene: Scene) -> None:
    async def slot() -> str:
        with pytest.raises(JobCancelledError):
            await scene.watch.run(["a"], scene.endless())
        await scene.redis.ping()
        return "goes on"

    task = asyncio.create_task(slot())
    await scene.begun.wait()
    await scene.cancel("a")
    assert await task == "goes on"
    assert task.cancelling() == 0


async def test_others_and_those_cancelled_long_ago_run_on(scene: Scene) -> None:
    release = asyncio.Event()

    async def work() -> int:
        scene.begun.set()
        await release.wait()
        return 1

    task = asyncio.create_task(scene.watch.run(["a"], work()))
    await scene.begun.wait()
    await scene.cancel("b")
    await scene.cancel("a", for_s=-1.0)
    release.set()
    assert await task == (1, frozenset())


async def test_a_stopping_worker_is_not_taken_for_a_cancelled_job(scene: Scene) -> None:
    task = asyncio.create_task(scene.watch.run(["a"], scene.endless()))
    await scene.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_stopping_wins_where_both_happen(scene: Scene) -> None:
    task = asyncio.create_task(scene.watch.run(["a"], scene.endless()))
    await scene.begun.wait()
    await scene.cancel("a")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("ends", ["returns", "raises"])
async def test_a_handler_that_makes_something_else_of_it_is_cancelled_all_the_same(
    scene: Scene, ends: str
) -> None:
    async def stubborn() -> str:
        with contextlib.suppress(asyncio.CancelledError):
            await scene.endless()
        if ends == "raises":
            raise ValueError("while it cleaned up")
        return "an answer"

    task = asyncio.create_task(scene.watch.run(["a"], stubborn()))
    await scene.begun.wait()
    await scene.cancel("a")
    with pytest.raises(JobCancelledError):
        await task


async def test_jobs_that_run_together_end_together_or_not_at_all(scene: Scene) -> None:
    release = asyncio.Event()

    async def work() -> str:
        scene.begun.set()
        await release.wait()
        return "both"

    task = asyncio.create_task(scene.watch.run(["a", "b"], work()))
    await scene.begun.wait()
    await scene.cancel("a")
    release.set()
    assert await task == ("both", frozenset({"a"}))

    scene.begun.clear()
    task = asyncio.create_task(scene.watch.run(["c", "d"], scene.endless()))
    await scene.begun.wait()
    await scene.cancel("c", "d")
    with pytest.raises(JobCancelledError):
        await task


async def test_it_asks_nothing_while_nothing_runs(scene: Scene) -> None:
    scene.watch = CancelWatch(aioredis.Redis(port=1), NAMES, scene.clock)
    await scene.watch.look()
