"""Reads of this process: counted at once, reported to the fleet once a second."""

from __future__ import annotations

import asyncio
import contextlib

import redis.asyncio as aioredis

from streams.cache.connection import AWAY
from streams.cache.counters import FleetCounters
from streams.cache.names import RedisNames
from streams.cache.reader import AnswerReader, state_of
from streams.cache.reads import ReadTally
from streams.cache.uses import used_field
from streams.contracts.clock import SYSTEM_CLOCK, Clock, millis
from streams.contracts.errors import UnavailableError
from streams.contracts.keys import CacheKey
from streams.contracts.results import State, StoredResult
from streams.ops.metrics import CACHE_PRECOMPUTED, CACHE_READ, CACHE_REQUESTS, COMPUTE_SAVED
from streams.ops.service import BackgroundService
from streams.web.groups import GroupReads

REPORT_EVERY_S = 1.0
_RESULT = {State.FRESH: "hit", State.STALE: "stale", State.UNAVAILABLE: "unavailable"}


class CountedReader(BackgroundService):
    """Reads for people, that count as reads; what the system itself looks at does not pass here."""

    def __init__(
        self,
        redis: aioredis.Redis,
        names: RedisNames,
        *,
        reader: AnswerReader,
        counters: FleetCounters,
        groups: GroupReads,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__()
        self._redis = redis
        self._reader = reader
        self._counters = counters
        self._groups = groups
        self._clock = clock
        self._tally = ReadTally(names)

    async def read(self, key: CacheKey) -> StoredResult | None:
        """Raises `UnavailableError` where Redis does not answer; that too is a read, and a miss."""
        try:
            with CACHE_READ.time():
                stored = (await self._reader.stored([str(key)]))[0]
        except UnavailableError:
            CACHE_REQUESTS.labels(key.task, "error").inc()
            self._counters.add("cache_misses")
            raise
        self.count(key.task, stored)
        self._groups.note(key, hit=stored is not None and stored.is_available)
        return stored

    def count(self, task: str, stored: StoredResult | None) -> None:
        if stored is None:
            CACHE_REQUESTS.labels(task, "miss").inc()
            self._counters.add("cache_misses")
            return
        now_ms = millis(self._clock.now())
        result = _RESULT[state_of(stored, now_ms)]
        CACHE_REQUESTS.labels(task, result).inc()
        self._counters.add("cache_misses" if result == "unavailable" else "cache_hits")
        self._tally.note(stored.key, now_ms, stored.compute_ms, stored.why)

    async def on_start(self) -> None:
        self.spawn(self._report_forever(), "read-report")

    async def on_stop(self) -> None:
        await self.report()

    async def report(self) -> None:
        """Sends what was read; without Redis it is lost, as the answers would be."""
        with contextlib.suppress(*AWAY):
            await self._groups.report(self._redis)
            for first in await self._tally.flush(self._redis):
                CACHE_PRECOMPUTED.labels(first.task, "read").inc(first.count)
                COMPUTE_SAVED.inc(first.compute_s)
                self._counters.add("precomputed_read", first.count)
                self._counters.add(used_field(first.task, first.why), first.count)
                self._counters.add("seconds_saved", first.compute_s)

    async def _report_forever(self) -> None:
        while True:
            await asyncio.sleep(REPORT_EVERY_S)
            await self.report()
