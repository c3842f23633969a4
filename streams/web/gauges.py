"""What the whole fleet looks at, exported by the API: the lag of the job topics, the cache's memory."""

from __future__ import annotations

import asyncio
import math

import redis.asyncio as aioredis
import structlog

from streams.cache.memory import read_memory
from streams.contracts.errors import UnavailableError
from streams.kafka.lag import GroupLag
from streams.ops.metrics import CONSUMER_LAG, REDIS_MEMORY_MAX, REDIS_MEMORY_USED
from streams.ops.service import BackgroundService

_log = structlog.get_logger(__name__)

#: Prometheus scrapes each 15 s by default; asking more often would show nobody more.
EXPORT_EVERY_S = 15.0


class FleetGauges(BackgroundService):
    """Every replica of the API exports the same facts: take the maximum over replicas, not the sum."""

    def __init__(self, redis: aioredis.Redis, lag: GroupLag) -> None:
        super().__init__()
        self._redis = redis
        self._lag = lag
        self._topics: set[str] = set()
        self._problem: str | None = None

    async def on_start(self) -> None:
        self.spawn(self._export_forever(), "fleet-gauges")

    async def export(self) -> None:
        """Looks once. What cannot be asked shows as a gap, never as an old number."""
        await self._export_lag()
        await self._export_memory()

    async def _export_forever(self) -> None:
        while True:
            await self.export()
            await asyncio.sleep(EXPORT_EVERY_S)

    async def _export_lag(self) -> None:
        try:
            found = await self._lag.read()
        except UnavailableError as exc:
            _log.warning("the lag of the job topics is not known", error=str(exc))
            found = {}
        for topic in self._topics - set(found):
            CONSUMER_LAG.remove(topic)
        for topic, lag in found.items():
            CONSUMER_LAG.labels(topic).set(lag)
        self._topics = set(found)

    async def _export_memory(self) -> None:
        try:
            memory = await read_memory(self._redis)
        except UnavailableError:
            REDIS_MEMORY_USED.set(math.nan)
            REDIS_MEMORY_MAX.set(math.nan)
            return
        REDIS_MEMORY_USED.set(memory.used)
        REDIS_MEMORY_MAX.set(memory.most)
        if memory.problem != self._problem:
            self._problem = memory.problem
            if memory.problem is not None:
                _log.warning("the cache's memory", problem=memory.problem)
