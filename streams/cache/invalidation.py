"""Invalidation: answers go, and computations that began before it may not bring them back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import redis.asyncio as aioredis

from streams.cache import scripts
from streams.cache.connection import AWAY
from streams.cache.names import RedisNames
from streams.contracts.clock import SYSTEM_CLOCK, Clock, millis
from streams.contracts.errors import UnavailableError
from streams.contracts.keys import KeyPattern
from streams.contracts.tasks import TaskCatalogue
from streams.ops.metrics import CACHE_INVALIDATIONS

#: A computation that has not ended after an hour has long lost its lease.
MARK_TTL_S = 3600
PAGE = 1000


class Invalidator:
    """Invalidates by pattern and counts what was there.

    A pattern over many keys raises a floor for its task, which readers compare with the start of each
    answer's computation; its answers are then removed through the task's index, never by SCAN.
    """

    def __init__(
        self, redis: aioredis.Redis, names: RedisNames, tasks: TaskCatalogue, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._redis = redis
        self._names = names
        self._tasks = tasks
        self._clock = clock

    async def invalidate(self, pattern: KeyPattern) -> int:
        """How many answers were invalidated; raises `UnavailableError` where Redis does not answer."""
        try:
            exact = pattern.exact_keys(self._tasks)
            count = await self._remove([str(k) for k in exact]) if exact else await self._sweep(pattern)
        except AWAY as exc:
            raise UnavailableError(f"the cache does not answer: {exc}") from exc
        CACHE_INVALIDATIONS.inc(count)
        return count

    async def _sweep(self, pattern: KeyPattern) -> int:
        now = millis(self._clock.now())
        tasks = [pattern.task] if pattern.task else list(self._tasks)
        fields = {"*": now} if pattern.is_everything else dict.fromkeys(tasks, now)
        await self._redis.hset(self._names.floors, mapping=fields)  # type: ignore[arg-type]
        return sum([await self._sweep_task(task, now) for task in tasks])

    async def _sweep_task(self, task: str, now: int) -> int:
        index = self._names.index(task)
        await self._redis.zremrangebyscore(index, "-inf", now)
        count = 0
        while keys := cast("list[bytes]", await self._redis.zrange(index, 0, PAGE - 1)):
            count += await self._remove([key.decode() for key in keys])
            await self._redis.zrem(index, *keys)
        return count

    async def _remove(self, keys: Sequence[str]) -> int:
        args: list[Any] = [f"{millis(self._clock.now()):014d}", MARK_TTL_S]
        names = [n for key in keys for n in (self._names.result(key), self._names.invalidated(key))]
        return int(await self._redis.eval(scripts.INVALIDATE, len(names), *names, *args))
