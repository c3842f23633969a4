"""Leaves out predicted jobs whose answer is still fresh: one look for all of a slice."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import redis.asyncio as aioredis

from predictor.policy import WhyNot
from streams.cache.codec import HEADER_BYTES, expiry_of
from streams.cache.connection import AWAY
from streams.cache.inputs import PredictedAction
from streams.cache.names import RedisNames
from streams.cache.scripting import send_many
from streams.contracts.clock import Clock, millis
from streams.ingest.speculation import Speculation
from streams.ops.metrics import REDIS_ERRORS

#: Speculation may wait so long for the cache; without an answer the worker finds out by itself.
ANSWER_WITHIN_S = 0.05


class FreshnessFilter:
    def __init__(self, redis: aioredis.Redis, names: RedisNames, clock: Clock) -> None:
        self._redis = redis
        self._names = names
        self._clock = clock

    async def apply(self, found: Sequence[Speculation]) -> list[Speculation]:
        """The same speculations without the jobs whose answers are there."""
        keys = list({job.key for one in found for job in one.jobs})
        fresh = await self._fresh(keys) if keys else frozenset()
        return [_without(one, fresh) for one in found] if fresh else list(found)

    async def _fresh(self, keys: Sequence[str]) -> frozenset[str]:
        asked = [("GETRANGE", self._names.result(key), 0, HEADER_BYTES - 1) for key in keys]
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                heads = await send_many(self._redis, asked)
        except AWAY:
            REDIS_ERRORS.labels("freshness").inc()
            return frozenset()
        now_ms = millis(self._clock.now())
        return frozenset(key for key, head in zip(keys, heads, strict=True) if expiry_of(head) > now_ms)


def _without(found: Speculation, fresh: frozenset[str]) -> Speculation:
    shown = tuple(_show(action, fresh) for action in found.shown.predictions)
    return Speculation(
        msgspec.structs.replace(found.shown, predictions=shown),
        found.prediction,
        tuple(job for job in found.jobs if job.key not in fresh),
        fresh=tuple(job for job in found.jobs if job.key in fresh),
    )


def _show(action: PredictedAction, fresh: frozenset[str]) -> PredictedAction:
    left = tuple(key for key in action.keys if key not in fresh)
    if left == action.keys:
        return action
    if left:
        return msgspec.structs.replace(action, keys=left)
    return msgspec.structs.replace(action, keys=(), acted_on=False, why_not=WhyNot.ALREADY_FRESH.value)
