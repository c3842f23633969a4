"""A worker's sign of life in Redis: how many slots the fleet has, and who they are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import msgspec
import redis.asyncio as aioredis

from streams.cache.connection import AWAY
from streams.cache.link import get_all
from streams.cache.names import RedisNames
from streams.contracts.errors import UnavailableError
from streams.ops.service import BackgroundService

BEAT_EVERY_S = 2.0
#: Three missed beats: the worker is gone.
DEAD_AFTER_S = 8
ALL_WORKERS = "*"


class WorkerInfo(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    slots: int
    in_progress: int
    started_at: float
    host: str
    pid: int
    quiet: bool = False
    #: Jobs that wait in this worker, and how long the oldest has.
    waiting: int = 0
    oldest_wait_s: float = 0.0


class WorkerPresence(BackgroundService):
    def __init__(
        self,
        redis: aioredis.Redis,
        names: RedisNames,
        info: Callable[[], WorkerInfo],
        on_quiet: Callable[[bool], None],
    ) -> None:
        """`on_quiet` hears at each beat whether somebody asked this worker to start nothing."""
        super().__init__()
        self._on_quiet = on_quiet
        self._redis = redis
        self._names = names
        self._info = info

    async def on_start(self) -> None:
        self.spawn(self._beat_forever(), "presence")

    async def on_stop(self) -> None:
        info = self._info()
        try:
            await self._redis.delete(self._names.worker(info.id))
            await self._redis.zrem(self._names.workers, info.id)
        except AWAY:
            return

    async def _beat_forever(self) -> None:
        while True:
            info = self._info()
            pipe = self._redis.pipeline(transaction=False)
            pipe.set(self._names.worker(info.id), msgspec.json.encode(info), ex=DEAD_AFTER_S)
            pipe.hmget(self._names.quiet, info.id, ALL_WORKERS)
            try:
                _, asked = await pipe.execute()
                now, _ = await self._redis.time()
                self._on_quiet(any(asked))
                # Redis's clock: readers compare beats of many hosts.
                await self._redis.zadd(self._names.workers, {info.id: now})
                await self._redis.zremrangebyscore(self._names.workers, "-inf", now - 60)
            except AWAY:
                pass
            await asyncio.sleep(BEAT_EVERY_S)


async def living_workers(redis: aioredis.Redis, names: RedisNames) -> list[WorkerInfo]:
    """The workers whose last beat is recent."""
    try:
        ids = cast("list[bytes]", await redis.zrange(names.workers, 0, -1))
        if not ids:
            return []
        found = await get_all(redis, [names.worker(one.decode()) for one in ids])
    except AWAY as exc:
        raise UnavailableError(f"the cache does not answer: {exc}") from exc
    return [msgspec.json.decode(data, type=WorkerInfo) for data in found if data]


async def ask_quiet(redis: aioredis.Redis, names: RedisNames, worker_id: str, *, quiet: bool) -> None:
    """Asks a worker, or `ALL_WORKERS`, to start nothing, or to go on; heard within a beat."""
    try:
        if quiet:
            await redis.hset(names.quiet, worker_id, "1")
        elif worker_id == ALL_WORKERS:
            await redis.delete(names.quiet)
        else:
            await redis.hdel(names.quiet, worker_id)
    except AWAY as exc:
        raise UnavailableError(f"the cache does not answer: {exc}") from exc
