"""The fleet's counters: each process adds what it counted since the last second.

Totals are since installation; minute buckets give the last hour. A wiped Redis starts them anew.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict

import redis.asyncio as aioredis

from streams.cache.connection import AWAY
from streams.cache.names import RedisNames
from streams.contracts.clock import SYSTEM_CLOCK, Clock
from streams.contracts.errors import UnavailableError
from streams.ops.metrics import REDIS_ERRORS
from streams.ops.service import BackgroundService

FLUSH_EVERY_S = 1.0
WINDOW_MINUTES = 60
_BUCKET_TTL_S = (WINDOW_MINUTES + 5) * 60


class FleetCounters(BackgroundService):
    """`add` costs a dictionary access; the sums reach Redis once a second, or later where it is away."""

    def __init__(self, redis: aioredis.Redis, names: RedisNames, clock: Clock = SYSTEM_CLOCK) -> None:
        super().__init__()
        self._redis = redis
        self._names = names
        self._clock = clock
        self._deltas: dict[str, float] = defaultdict(float)

    def add(self, field: str, amount: float = 1.0) -> None:
        self._deltas[field] += amount

    async def on_start(self) -> None:
        self.spawn(self._flush_forever(), "fleet-counters")

    async def on_stop(self) -> None:
        await self.flush()

    async def flush(self) -> None:
        """Sends the deltas; what could not be sent is kept for the next time."""
        if not self._deltas:
            return
        deltas, self._deltas = self._deltas, defaultdict(float)
        bucket = self._names.counters_minute(int(self._clock.now() // 60))
        pipe = self._redis.pipeline(transaction=False)
        for field, amount in deltas.items():
            pipe.hincrbyfloat(self._names.counters, field, amount)
            pipe.hincrbyfloat(bucket, field, amount)
        pipe.expire(bucket, _BUCKET_TTL_S)
        try:
            await pipe.execute()
        except AWAY:
            REDIS_ERRORS.labels("counters").inc()
            for field, amount in deltas.items():
                self._deltas[field] += amount

    async def _flush_forever(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_EVERY_S)
            await self.flush()

    async def totals(self) -> dict[str, float]:
        """Every counter since installation."""
        return (await self._read([self._names.counters]))[0]

    async def by_minute(self, minutes: int) -> list[dict[str, float]]:
        """The counts of each of the last minutes, the running one last."""
        now = int(self._clock.now() // 60)
        return await self._read([self._names.counters_minute(now - m) for m in reversed(range(minutes))])

    async def last_hour(self) -> dict[str, float]:
        now = int(self._clock.now() // 60)
        buckets = await self._read([self._names.counters_minute(now - m) for m in range(WINDOW_MINUTES)])
        sums: dict[str, float] = defaultdict(float)
        for bucket in buckets:
            for field, amount in bucket.items():
                sums[field] += amount
        return dict(sums)

    async def _read(self, keys: list[str]) -> list[dict[str, float]]:
        pipe = self._redis.pipeline(transaction=False)
        for key in keys:
            pipe.hgetall(key)
        try:
            found = await pipe.execute()
        except AWAY as exc:
            raise UnavailableError(f"the cache does not answer: {exc}") from exc
        return [{field.decode(): float(amount) for field, amount in hash_.items()} for hash_ in found]
