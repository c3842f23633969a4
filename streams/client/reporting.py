"""Tells the fleet what this client read, about once a second and best effort."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from streams.cache.names import RedisNames
from streams.cache.outage import AWAY
from streams.cache.reads import FirstReads, ReadTally
from streams.cache.uses import used_field
from streams.client.metrics import ClientMetrics
from streams.contracts.clock import Clock

EVERY_S = 1.0
#: As long as the fleet's own buckets of a minute (counters.py).
_BUCKET_TTL_S = 65 * 60


class ReadReporter:
    def __init__(self, redis: Any, names: RedisNames, metrics: ClientMetrics, clock: Clock) -> None:
        self._redis = redis
        self._names = names
        self._metrics = metrics
        self._clock = clock
        self._tally = ReadTally(names)
        self._told = (0, 0)

    def note(self, key: str, at_ms: int, compute_ms: float, why: str) -> None:
        self._tally.note(key, at_ms, compute_ms, why)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            await self.flush()

    async def flush(self) -> None:
        with contextlib.suppress(*AWAY):
            await self._add_uses(await self._tally.flush(self._redis))
            await self._add_counts()

    async def _add_uses(self, found: list[FirstReads]) -> None:
        if not found:
            return
        pipe = self._redis.pipeline(transaction=False)
        for first in found:
            pipe.hincrbyfloat(self._names.counters, used_field(first.task, first.why), first.count)
        await pipe.execute()

    async def _add_counts(self) -> None:
        m = self._metrics
        totals = (m.memory_hits + m.hits + m.stale, m.misses + m.unavailable + m.errors)
        hits, misses = totals[0] - self._told[0], totals[1] - self._told[1]
        if not hits and not misses:
            return
        bucket = self._names.counters_minute(int(self._clock.now() // 60))
        pipe = self._redis.pipeline(transaction=False)
        for name in (self._names.counters, bucket):
            pipe.hincrbyfloat(name, "cache_hits", hits)
            pipe.hincrbyfloat(name, "cache_misses", misses)
        pipe.expire(bucket, _BUCKET_TTL_S)
        await pipe.execute()
        self._told = totals
