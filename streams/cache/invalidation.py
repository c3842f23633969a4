"""Invalidation: answers go, and computations that began before it may not bring them back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Any, cast

import msgspec
import redis.asyncio as aioredis

from streams.cache import scripts
from streams.cache.backplane import BackplaneMessage
from streams.cache.cluster import by_slot
from streams.cache.codec import time_digits
from streams.cache.connection import AWAY
from streams.cache.names import RedisNames
from streams.contracts.clock import SYSTEM_CLOCK, Clock, millis
from streams.contracts.errors import UnavailableError
from streams.contracts.keys import KeyPattern
from streams.contracts.tasks import TaskCatalogue
from streams.ops.metrics import CACHE_INVALIDATIONS, CACHE_PRECOMPUTED

#: A computation that has not ended after an hour has long lost its lease.
MARK_TTL_S = 3600
PAGE = 500

_GONE, _STAYS = 1, 2
#: Also in a full Redis: an invalidation frees more than its marks take, and may be what makes room.
_EVEN_IF_FULL = "#!lua flags=allow-oom"


class Invalidator:
    """Invalidates by pattern and counts what was there.

    A pattern over many keys raises a floor for its task, which readers compare with the start of each
    answer's computation; its answers are then removed through the task's index, never by SCAN. An answer
    whose computation began after the invalidation stays, whenever the removal gets to it.
    """

    def __init__(
        self, redis: aioredis.Redis, names: RedisNames, tasks: TaskCatalogue, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._redis = redis
        self._names = names
        self._tasks = tasks
        self._clock = clock

    async def invalidate(self, pattern: KeyPattern, *, at_ms: int | None = None) -> int:
        """How many answers were invalidated; raises `UnavailableError` where Redis does not answer.

        `at_ms` is when the cause came about, where that was before this call: what was begun since stays.
        """
        at = at_ms if at_ms is not None else millis(self._clock.now())
        try:
            exact = pattern.exact_keys(self._tasks)
            if exact is not None:
                count = await self._remove([str(key) for key in exact], at)
            else:
                count = await self._sweep(pattern, at)
            await self._announce(pattern, at)
        except AWAY as exc:
            raise UnavailableError(f"the cache does not answer: {exc}") from exc
        CACHE_INVALIDATIONS.inc(count)
        return count

    async def preview(self, pattern: KeyPattern) -> int:
        """How many answers an invalidation would find; nothing is changed."""
        exact = pattern.exact_keys(self._tasks)
        pipe = self._redis.pipeline(transaction=False)
        if exact is not None:
            for key in exact:
                pipe.exists(self._names.result(str(key)))
        else:
            for task in self._tasks_of(pattern):
                pipe.zcount(self._names.index(task), millis(self._clock.now()), "+inf")
        try:
            return sum(await pipe.execute())
        except AWAY as exc:
            raise UnavailableError(f"the cache does not answer: {exc}") from exc

    def _tasks_of(self, pattern: KeyPattern) -> list[str]:
        return [pattern.task] if pattern.task else list(self._tasks)

    async def _sweep(self, pattern: KeyPattern, at: int) -> int:
        tasks = self._tasks_of(pattern)
        raised = ["*"] if pattern.is_everything else tasks
        floors = (self._names.floors, self._names.floors_text)
        await self._redis.eval(_EVEN_IF_FULL + scripts.RAISE_FLOORS, 2, *floors, at, *raised)
        return sum([await self._sweep_task(task, at) for task in tasks])

    async def _sweep_task(self, task: str, at: int) -> int:
        index = self._names.index(task)
        await self._redis.zremrangebyscore(index, "-inf", millis(self._clock.now()))
        removed = passed = 0
        # Answers begun since stay in the index: the next page starts behind them.
        while keys := cast("list[bytes]", await self._redis.zrange(index, passed, passed + PAGE - 1)):
            gone = await self._remove([key.decode() for key in keys], at)
            left = int(await self._redis.zcard(index))
            removed += gone
            passed = min(passed + len(keys) - gone, left)
        return removed

    async def _remove(self, keys: Sequence[str], at: int) -> int:
        found = await by_slot(self._redis, keys, self._names.result, partial(self._remove_slot, at=at))
        absent = [key for key, what in zip(keys, found, strict=True) if what != _STAYS]
        await self._forget(absent)
        return sum(what == _GONE for what in found)

    async def _remove_slot(self, keys: Sequence[str], *, at: int) -> list[int]:
        names = self._names
        args: list[Any] = [time_digits(at), MARK_TTL_S]
        touched = [n for key in keys for n in (names.result(key), names.invalidated(key), names.asked(key))]
        script = _EVEN_IF_FULL + scripts.INVALIDATE
        found: Any = await self._redis.eval(script, len(touched), *touched, *args)
        return list(found)

    async def _forget(self, keys: Sequence[str]) -> None:
        """Takes the keys out of their tasks' lists, and counts those that nobody had read."""
        by_task: defaultdict[str, list[str]] = defaultdict(list)
        for key in keys:
            by_task[key.partition(":")[0]].append(key)
        if not by_task:
            return
        pipe = self._redis.pipeline(transaction=False)
        for task, members in by_task.items():
            pipe.zrem(self._names.unread(task), *members)
            pipe.zrem(self._names.index(task), *members)
        counts = await pipe.execute()
        for task, unread in zip(by_task, counts[::2], strict=True):
            CACHE_PRECOMPUTED.labels(task, "invalidated").inc(unread)

    async def _announce(self, pattern: KeyPattern, at: int) -> None:
        message = BackplaneMessage(pattern.task or "*", pattern.entity or "*", pattern.entity_id or "*", at)
        await self._redis.publish(self._names.backplane, msgspec.json.encode(message))
